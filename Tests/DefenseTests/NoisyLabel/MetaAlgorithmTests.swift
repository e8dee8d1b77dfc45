import Backdoor
import Defenses
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// One minibatch of algorithm 1 against `noisy_label.py`, its invariants and its cost.
@Suite struct MetaAlgorithmTests {
  /// The perturbed images, then the outer loss, all updated parameters and the running statistics.
  @Test(arguments: NoisyLabelGolden.cases) func oneStep(_ name: String) throws {
    let golden = try NoisyLabelGolden()
    func expected(_ key: String) throws -> Tensor { try golden.golden.tensor("step/\(name)/\(key)") }
    let training = try golden.training(name)
    let (images, labels) = (golden.images, golden.labels)
    if let adversary = training.adversary {
      let model = try golden.network()
      let perturbed = adversary.perturb(
        images, labels: labels, indices: golden.indices, model: model, rule: training.innerRule, epoch: 0,
        context: golden.context)
      let c = try golden.golden.tensorIfAny("step/\(name)/c") ?? (expected("sign").to(.float32) * adversary.tau)
      expectClose(perturbed, (images + c).clamped(0, 1), tolerance: 1e-6, "perturbed images")
      expectClose(perturbed.flattened(1).sum([1]), try expected("images_sum"))
      #expect(model.isTraining, "the mode comes back")
      #expect(model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil })
    }
    let model = try golden.network()
    let optimizer = training.recipe.makeOptimizer(model.parameters())
    let result = training.loss(
      model, images: images, labels: labels, indices: golden.indices, epoch: 0, context: golden.context)
    optimizer.step(minimizing: result.value)
    expectClose(result.value.detach(), try expected("outer_loss"), "loss")
    let rows = try expected("outer_rows")
    if let found = result.rows { expectSame(found, rows) } else { #expect(rows.count == 12) }
    for (key, parameter) in model.namedParameters() {
      expectClose(try #require(parameter.grad), try expected("grad/\(key)"), tolerance: 1e-4, "gradient of \(key)")
      // A step moves each weight by at most 3e-4: the tolerance is a thousandth of that.
      expectClose(parameter.detach(), try expected("updated/\(key)"), tolerance: 3e-7 / 0.3, "\(key)")
    }
    for (key, buffer) in model.namedBuffers() { expectClose(buffer, try expected("buffer/\(key)"), key) }
  }

  /// |c| <= tau, pixels in [0, 1], filtered samples untouched, one perturbation where it is shared.
  @Test(arguments: FastGradientSign.Form.allCases, [nil, true, false] as [Bool?])
  func invariants(_ form: FastGradientSign.Form, _ perturbAll: Bool?) throws {
    let golden = try NoisyLabelGolden()
    for mode in FastGradientSign.Mode.allCases {
      var adversary = FastGradientSign()
      adversary.form = form
      adversary.perturbAll = perturbAll
      adversary.mode = mode
      adversary.tau = 0.1
      var rule = PRL()
      rule.rate = 0.5
      let model = try golden.network()
      // From the middle of the box, so that c can be read off.
      let images = golden.images * 0.5 + 0.25
      let statistics = model.bn.runningMean.clone()
      let x = adversary.perturb(
        images, labels: golden.labels, indices: golden.indices, model: model, rule: rule, epoch: 0,
        context: golden.context)
      let c = x - images
      #expect(c.abs().max().item() <= 0.1 + 1e-6 && c.abs().max().item() > 0.05)
      let moved = c.abs().flattened(1).max([1]).array(Float.self).count { $0 > 0 }
      let everywhere = perturbAll ?? (form == .shared)
      // In evaluation mode nothing couples the samples: one that is filtered out has no gradient of its own.
      #expect(moved == (everywhere && (form == .shared || mode == .train) ? 12 : 6))
      if form == .shared, everywhere { expectClose(c[3], c[7], tolerance: 1e-5) }
      #expect((model.bn.runningMean .!= statistics).any().intItem() == (mode == .train ? 1 : 0))
      let edge = adversary.perturb(
        golden.images.round(), labels: golden.labels, indices: golden.indices, model: model, rule: rule, epoch: 0,
        context: golden.context)
      #expect(edge.min().item() >= 0 && edge.max().item() <= 1)
    }
  }

  /// The perturbation raises the loss of the samples that it is meant to, and to first order by tau times the
  /// gradient's L1 norm.
  @Test func ascends() throws {
    let golden = try NoisyLabelGolden()
    let model = try golden.network().eval()
    let images = golden.images * 0.5 + 0.25
    var adversary = FastGradientSign()
    adversary.mode = .eval
    adversary.tau = 1e-4
    func loss(_ x: Tensor) -> Tensor { F.crossEntropy(model(x), golden.labels) }
    let x = adversary.perturb(
      images, labels: golden.labels, indices: golden.indices, model: model, rule: EverySample(), epoch: 0,
      context: golden.context)
    let leaf = images.clone().requiresGrad_()
    let predicted = gradient(of: loss(leaf), at: leaf).abs().sum().item() * 1e-4
    let found = noGrad { (loss(x) - loss(images)).item() }
    #expect(predicted > 0)
    expectClose(found, predicted, tolerance: 0.03)
  }

  /// No bound, no perturbation: the reinforced algorithm is the plain one.
  @Test func withoutBoundItIsThePlainRule() throws {
    let golden = try NoisyLabelGolden()
    var still = FastGradientSign()
    still.tau = 0
    let images = golden.images.clamped(0, 1)
    let models = try [nil, still].map { adversary in
      let model = try golden.network()
      let training = NoisyLabelTraining(rule: PRL(), adversary: adversary)
      let loss = training.loss(
        model, images: images, labels: golden.labels, indices: golden.indices, epoch: 0, context: golden.context)
      training.recipe.makeOptimizer(model.parameters()).step(minimizing: loss.value)
      return model
    }
    for (a, b) in zip(models[0].parameters(), models[1].parameters()) { expectSame(a.detach(), b.detach()) }
  }

  /// Two passes: one for rule and input gradient, with frozen weights, and one for rule and step. The plain rule needs
  /// one.
  @Test(arguments: FastGradientSign.Mode.allCases) func cost(_ mode: FastGradientSign.Mode) throws {
    let golden = try NoisyLabelGolden()
    var adversary = FastGradientSign()
    adversary.mode = mode
    for (chosen, passes) in [
      (nil, [GoldenNetwork.Pass(frozen: false, training: true)]),
      (adversary, [.init(frozen: true, training: mode == .train), .init(frozen: false, training: true)]),
    ] as [(FastGradientSign?, [GoldenNetwork.Pass])] {
      let model = try golden.network()
      let training = NoisyLabelTraining(rule: SPL(), adversary: chosen)
      _ = training.loss(
        model, images: golden.images, labels: golden.labels, indices: golden.indices, epoch: 0, context: golden.context)
      #expect(model.passes == passes)
    }
  }

  /// A rule of a user's own: alternating samples, all taught to be class 1.
  private struct Own: NoisyLabelRule {
    func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice {
      #expect(!batch.logits.requiresGrad)
      let rows = Tensor(stride(from: batch.epoch, to: batch.labels.count, by: 2).map(Int64.init))
      return NoisyLabelChoice(rows: rows, targets: Tensor.ones([rows.count], dtype: .int64))
    }
  }

  @Test(arguments: [0, 1]) func ownRule(_ epoch: Int) throws {
    let golden = try NoisyLabelGolden()
    let model = try golden.network()
    let training = NoisyLabelTraining(rule: Own(), adversary: FastGradientSign())
    let x = training.adversary?.perturb(
      golden.images, labels: golden.labels, indices: golden.indices, model: model, rule: Own(), epoch: epoch,
      context: golden.context)
    let perturbed = try #require(x)
    let moved = (perturbed - golden.images).abs().flattened(1).max([1]).array(Float.self).map { $0 > 0 }
    #expect(moved == (0..<12).map { $0 % 2 == epoch })
    let rows = Tensor(stride(from: epoch, to: 12, by: 2).map(Int64.init))
    let loss = F.crossEntropy(try golden.network()(perturbed)[rows], Tensor.ones([6], dtype: .int64))
    let result = training.loss(
      try golden.network(), images: golden.images, labels: golden.labels, indices: golden.indices, epoch: epoch,
      context: golden.context)
    expectClose(result.value.detach(), loss.detach())
    expectSame(try #require(result.rows), rows)
  }
}
