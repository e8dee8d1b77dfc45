import Backdoor
import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Rules that remember: the window over batches, and a rule of a user's own.
@Suite struct RuleStateTests {
  private let data = ImageDataset.tiny(count: 40)

  /// Logits of class 0 against one other whose distance from label 0 grows with the score.
  private func batch(_ scores: [Float], _ indices: [Int64], epoch: Int = 0) -> NoisyLabelBatch {
    let logits = Tensor(scores.flatMap { [0, $0] }, shape: [scores.count, 2])
    return NoisyLabelBatch(
      logits: logits, labels: Tensor.zeros([scores.count], dtype: .int64), indices: Tensor(indices), epoch: epoch)
  }
  private func rows(_ choice: NoisyLabelChoice) -> [Int64]? { choice.rows?.array(Int64.self) }

  /// Half of the last two batches' scores; a sample counts by its last score.
  @Test func windowByHand() throws {
    var rule = PRL()
    (rule.rate, rule.window) = (0.5, 2)
    let state = try #require(rule.makeState(samples: 10, classes: 2, device: .cpu))
    #expect(rows(rule.choose(batch([4, 1, 3, 2], [7, 2, 9, 0]), state)) == [1, 3], "the first batch by itself")
    // 1 2 3 4 and 5 6 7 8: the lower half is the first batch's, and one sample is always kept.
    #expect(rows(rule.choose(batch([8, 6, 5, 7], [1, 3, 4, 5]), state)) == [2])
    // 5 6 7 8 and 0 0.5 1 9: the first batch is forgotten; up to 5 is kept.
    #expect(rows(rule.choose(batch([9, 0.5, 1, 0], [6, 8, 2, 7]), state)) == [3, 1, 2])
    // Samples 8 and 2 again, with other scores: 9 0 and -1 -2 -3 in the window; the lowest two of five.
    #expect(rows(rule.choose(batch([-1, -2, -3], [8, 2, 0]), state)) == [2, 1])
    let verdict = batch([9, 8, 7, 6], [0, 1, 2, 3], epoch: .max)
    #expect(rows(rule.choose(verdict, state)) == [3, 2], "the verdict is made in the whole set")
    #expect(rows(rule.choose(batch([4, 1, 3, 2], [7, 2, 9, 0]), nil)) == [1, 3])
    rule.window = 1
    #expect(rule.makeState(samples: 10, classes: 2, device: .cpu) == nil)
  }

  private func run<D: Defense>(_ defense: D, store: MemoryCheckpoints? = nil) throws -> DefenseOutcome {
    try defense.train(
      on: data, architecture: data.tinyArchitecture,
      context: TrainingContext(precision: .float32, seed: 3, checkpoints: store))
  }
  private func windowed(_ window: Int) -> ReinforcedDefense<SPL> {
    var c = ReinforcedDefense<SPL>.Configuration()
    (c.rule.rate, c.rule.window) = (0.4, window)
    (c.recipe.epochs, c.recipe.batch, c.recipe.learningRate) = (3, 8, 3e-3)
    return ReinforcedDefense(c)
  }

  /// Both rules' memories are part of the checkpoint.
  @Test(arguments: [6, 12]) func resumesWithTheSameBits(_ checks: Int) throws {
    let whole = try run(windowed(5))
    let store = MemoryCheckpoints()
    #expect(throws: Interrupted.self) {
      try Interruption.simulated(afterChecks: checks) { try run(windowed(5), store: store) }
    }
    let keys = try #require(try store.load(stage: "spl-at")).tensors.map(\.key).filter { $0.hasPrefix("state.") }
    #expect(keys == ["inner", "outer"].flatMap { rule in ["score", "step", "steps"].map { "state.\(rule).\($0)" } })
    expectSame(try #require(try run(windowed(5), store: store).model).snapshot(), try #require(whole.model).snapshot())
    let other = try #require(try run(windowed(1)).model).snapshot()
    let same = try #require(whole.model).snapshot()
    #expect(zip(other, same).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 }, "the window arrives")
  }

  /// A checkpoint of a rule that remembered something else is refused by name.
  @Test func otherStateIsRefused() throws {
    let store = MemoryCheckpoints()
    _ = try? Interruption.simulated(afterChecks: 8) { try run(windowed(1), store: store) }
    #expect(try store.load(stage: "spl-at") != nil)
    let error = #expect(throws: TrainingError.self) { try run(windowed(5), store: store) }
    #expect(error?.description.contains("stage spl-at") == true && error?.description.contains("score, step") == true)
  }

  /// Early-learning regularisation (Liu et al. 2020, arXiv:2007.00151): targets are a running mean of each sample's
  /// predictions, and log(1 - <p, t>) is added to the loss.
  private struct EarlyLearning: NoisyLabelRule {
    func makeState(samples: Int, classes: Int, device: Device) -> TrainingState? {
      TrainingState(["targets": Tensor.zeros([samples, classes], device: device)])
    }
    func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice {
      guard let targets = state?["targets"] else { return NoisyLabelChoice(targets: batch.labels) }
      targets.put_([batch.indices], targets[batch.indices] * 0.7 + F.softmax(batch.logits, 1) * 0.3)
      let now = targets[batch.indices]
      return NoisyLabelChoice(targets: batch.labels) { logits in
        (1 - (F.softmax(logits, 1) * now).sum([1])).log().mean() * 3
      }
    }
  }

  /// Two epochs of ELR beside the same written out: indices, state and penalty arrive.
  @Test func earlyLearningFits() throws {
    var recipe = Recipe.noisyLabel
    (recipe.epochs, recipe.batch, recipe.learningRate) = (2, 16, 1e-3)
    let context = TrainingContext(precision: .float32, seed: 3)
    let model = try data.tinyArchitecture(Generator(seed: 1))
    let state = try NoisyLabelTraining(rule: EarlyLearning(), recipe: recipe, stage: "elr").train(
      model, on: data, context: context)
    let twin = try data.tinyArchitecture(Generator(seed: 1))
    twin.to(.channelsLast).train()
    let targets = Tensor.zeros([40, 4])
    let optimizer = recipe.makeOptimizer(twin.parameters())
    for epoch in 0..<2 {
      let order = context.generator("elr/shuffle", epoch).permutation(40)
      for range in [0..<16, 16..<32] {
        let indices = order[range]
        let logits = twin(data.pixels(at: indices).contiguous(.channelsLast))
        noGrad {
          let p = F.softmax(logits.detach(), 1)
          for (row, index) in indices.array(Int64.self).enumerated() {
            targets[Int(index)].copy_(targets[Int(index)] * 0.7 + p[row] * 0.3)
          }
        }
        let agreement = (F.softmax(logits, 1) * targets[indices]).sum([1])
        optimizer.step(
          minimizing: F.crossEntropy(logits, data.labels[indices]) + (1 - agreement).log().mean() * 3)
      }
    }
    expectClose(try #require(state.outer)["targets"], targets, tolerance: 1e-5)
    for (a, b) in zip(model.parameters(), twin.parameters()) { expectClose(a.detach(), b.detach(), tolerance: 1e-5) }
  }

  /// The perturbation is the same where the caller has switched recording off.
  @Test func perturbsInsideNoGrad() throws {
    let golden = try NoisyLabelGolden()
    func perturb() throws -> Tensor {
      FastGradientSign().perturb(
        golden.images, labels: golden.labels, indices: golden.indices, model: try golden.network(), rule: PRL(),
        epoch: 0, context: golden.context)
    }
    expectSame(try noGrad(perturb), try perturb())
  }

  /// What the rule leaves out is reported beside the loss.
  @Test func rejectedLoss() throws {
    let golden = try NoisyLabelGolden()
    let result = NoisyLabelTraining(rule: PRL()).loss(
      try golden.network(), images: golden.images, labels: golden.labels, indices: golden.indices, epoch: 0,
      context: golden.context)
    let kept = try #require(result.rows).array(Int64.self)
    let all = F.crossEntropy(try golden.network()(golden.images), golden.labels, reduction: .none).array(Float.self)
    let out = (0..<12).filter { !kept.contains(Int64($0)) }.map { Double(all[$0]) }
    #expect(out.count == 3 && result.parts.map(\.key) == ["rejectedLoss"])
    expectClose(try #require(result.parts.first).value.item(), out.reduce(0, +) / 3, tolerance: 1e-5)
  }
}
