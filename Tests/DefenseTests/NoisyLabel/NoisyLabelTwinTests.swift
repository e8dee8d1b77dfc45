import Backdoor
import Defenses
import SelfSupervision
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Two epochs of three batches written out from the published description, beside what `run` gives.
@Suite struct NoisyLabelTwinTests {
  /// 44 images of four classes; every fourth carries a white patch in the corner and the next label.
  private let data: ImageDataset = {
    let clean = ImageDataset.tiny(count: 44)
    let images = clean.images.clone()
    var labels = clean.labelArray().map(Int64.init)
    for index in stride(from: 1, to: 44, by: 4) {
      images[index].narrowed(1, 13..<16).narrowed(2, 13..<16).fill_(255)
      labels[index] = (labels[index] + 1) % 4
    }
    return ImageDataset(name: "triggered", images: images, labels: Tensor(labels), classNames: clean.classNames)
  }()
  private let seed: Seed = 5

  private func architecture(_ generator: Generator) throws -> Classifier {
    try ModelSpec(kind: "preactresnet18", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16))
      .make(generator)
  }
  private func newModel() throws -> Classifier {
    let model = try architecture(Generator(seed: seed.stream("defense")("init")))
    model.to(.channelsLast)
    return model
  }
  private func result<D: Defense>(_ defense: D, unlabeled: ImageDataset? = nil) throws -> DefenseOutcome {
    try defense.train(
      on: data, architecture: architecture, unlabeled: unlabeled,
      context: TrainingContext(precision: .float32, seed: seed))
  }

  /// Every setting off its default.
  private static let recipe: Recipe = {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.dropLast) = (2, 16, false)
    (recipe.optimizer, recipe.learningRate, recipe.momentum, recipe.weightDecay) = (.adam, 2e-3, 0.8, 0.03)
    (recipe.schedule, recipe.milestones, recipe.gamma) = (.multiStep, [1], 0.3)
    (recipe.crop, recipe.flip, recipe.labelSmoothing, recipe.clipNorm) = (0, false, 0.15, 0.4)
    return recipe
  }()

  /// What a rule of the paper chooses: rows in ascending order of score, and probabilities to learn.
  struct Rule {
    var name = "prl"
    var rate = 0.3
    var ramp = 0
    var alpha = 0.65

    func callAsFunction(_ logits: Tensor, _ labels: Tensor, epoch: Int) -> (rows: Tensor, targets: Tensor) {
      let (count, classes) = (labels.count, logits.dimension(1))
      let given = labels.oneHot(classes).to(.float32)
      let p = F.softmax(logits, 1)
      switch name {
      case "every": return (Tensor.arange(count), given)
      case "bootstrap":
        return (Tensor.arange(count), given * alpha + logits.argmax(1).oneHot(classes).to(.float32) * (1 - alpha))
      default:
        let score = name == "spl" ? -(F.logSoftmax(logits, 1) * given).sum([1]) : ((p - given) * (p - given)).sum([1])
        let drop = epoch < ramp ? rate * Double(epoch) / Double(ramp - 1) : rate
        let rows = score.argsort(0)[0..<Int((Double(count) * (1 - drop) + 1e-9).rounded(.down))]
        return (rows, given[rows])
      }
    }
  }

  private func loss(_ logits: Tensor, _ rule: Rule, _ labels: Tensor, epoch: Int) -> (value: Tensor, rows: Tensor) {
    let (rows, targets) = noGrad { rule(logits.detach(), labels, epoch: epoch) }
    // The same kernel as the method's: the sign of a gradient near 0 turns with the last bit.
    let value =
      rule.name == "bootstrap"
      ? F.crossEntropy(logits[rows], targets, labelSmoothing: Self.recipe.labelSmoothing)
      : F.crossEntropy(logits[rows], labels[rows], labelSmoothing: Self.recipe.labelSmoothing)
    return (value, rows)
  }

  private struct Adversary {
    var tau = 0.09
    var shared = false
    var perturbAll = false
    var evaluates = false
  }

  /// Algorithm 1, with nil for the plain rule.
  private func trained(_ stage: String, outer: Rule, inner: Rule, _ adversary: Adversary?) throws -> Classifier {
    let model = try newModel().train()
    let recipe = Self.recipe
    let optimizer = Adam(
      model.parameters(), learningRate: recipe.learningRate, betas: (0.8, 0.999), weightDecay: recipe.weightDecay)
    for epoch in 0..<2 {
      optimizer.learningRate = epoch == 0 ? 2e-3 : 2e-3 * 0.3
      let order = Generator(seed: seed("\(stage)/shuffle", epoch)).permutation(44)
      for range in [0..<16, 16..<32, 32..<44] {
        var x = (data.images[order[range]].to(.float32) * (1 / 255.0)).contiguous(.channelsLast)
        let labels = data.labels[order[range]]
        if let adversary {
          model.train(!adversary.evaluates)
          let leaf = x.clone().requiresGrad_()
          let (value, rows) = loss(model(leaf), inner, labels, epoch: epoch)
          let sign = gradient(of: value, at: leaf).sign()
          noGrad {
            var c = adversary.shared ? (sign[rows].sum([0], keep: true) * (1 / Double(rows.count))) : sign
            if !adversary.perturbAll {
              let mask = Tensor.zeros([labels.count, 1, 1, 1])
              for row in rows.array(Int64.self) { mask[Int(row)].fill_(1) }
              c = c * mask
            }
            x = (x + c * adversary.tau).clamped(0, 1)
          }
          model.train(true)
        }
        optimizer.zeroGrad()
        loss(model(x), outer, labels, epoch: epoch).value.backward()
        let gradients = model.parameters().compactMap(\.grad)
        let norm = gradients.map { ($0 * $0).sum().item() }.reduce(0, +).squareRoot()
        if norm > 0.4 { noGrad { for gradient in gradients { gradient.mul_(0.4 / (norm + 1e-6)) } } }
        optimizer.step()
      }
    }
    return model.eval()
  }

  private func expectEqual(_ outcome: DefenseOutcome, _ twin: Classifier, _ name: String) throws {
    let found = try #require(outcome.model).snapshot()
    for (a, b) in zip(found, twin.snapshot()) {
      #expect(a.key == b.key)
      // Adam's steps are as large as the rate however small a gradient is: the tolerance is a hundredth of a step.
      expectClose(a.tensor.to(.float32), b.tensor.to(.float32), tolerance: 2e-5, "\(name) \(a.key)")
    }
  }

  private func filter<R: FilteringRule>(_ type: R.Type, ramp: Int = 0) -> R {
    var rule = R()
    (rule.rate, rule.ramp) = (0.3, ramp)
    return rule
  }

  @Test(arguments: RuleVariant.allCases) func prlAT(_ variant: RuleVariant) throws {
    var c = ReinforcedDefense<PRL>.Configuration()
    (c.rule, c.variant, c.recipe, c.adversary.tau) = (filter(PRL.self), variant, Self.recipe, 0.09)
    let (rule, every) = (Rule(), Rule(name: "every"))
    let twin = try trained(
      "prl-at", outer: variant == .both || variant == .outer ? rule : every,
      inner: variant == .both || variant == .inner ? rule : every, Adversary())
    try expectEqual(try result(ReinforcedDefense(c)), twin, variant.rawValue)
  }

  @Test func splATWithARampAndEverythingElse() throws {
    var c = ReinforcedDefense<SPL>.Configuration()
    (c.rule, c.recipe, c.adversary.tau) = (filter(SPL.self, ramp: 2), Self.recipe, 0.09)
    (c.adversary.form, c.adversary.perturbAll, c.adversary.mode) = (.shared, false, .eval)
    let rule = Rule(name: "spl", ramp: 2)
    let twin = try trained("spl-at", outer: rule, inner: rule, Adversary(shared: true, evaluates: true))
    try expectEqual(try result(ReinforcedDefense(c)), twin, "spl-at")
  }

  @Test func bootstrapAT() throws {
    var c = ReinforcedDefense<Bootstrap>.Configuration()
    (c.rule.alpha, c.recipe, c.adversary.tau) = (0.65, Self.recipe, 0.09)
    let rule = Rule(name: "bootstrap")
    let twin = try trained("bootstrap-at", outer: rule, inner: rule, Adversary())
    try expectEqual(try result(ReinforcedDefense(c)), twin, "bootstrap-at")
  }

  @Test func plainPRLAndATAlone() throws {
    var c = NoisyLabelDefense<PRL>.Configuration()
    (c.rule, c.recipe) = (filter(PRL.self), Self.recipe)
    let outcome = try result(NoisyLabelDefense(c))
    let twin = try trained("prl", outer: Rule(), inner: Rule(), nil)
    try expectEqual(outcome, twin, "prl")
    // The verdict: the rule on all samples with the trained model, in evaluation mode.
    let logits = noGrad { twin(data.pixels(0..<44).contiguous(.channelsLast)) }
    let rows = Rule()(logits, data.labels, epoch: 2).rows.array(Int64.self).map(Int.init).sorted()
    #expect(outcome.filtered?.kept == rows && rows.count == 30 && outcome.filtered?.rejected.count == 14)

    var at = FastAdversarialTraining.Configuration()
    (at.recipe, at.adversary.tau, at.adversary.perturbAll) = (Self.recipe, 0.09, true)
    let every = Rule(name: "every")
    try expectEqual(
      try result(FastAdversarialTraining(at)),
      try trained("noisy-at", outer: every, inner: every, Adversary(perturbAll: true)), "noisy-at")
  }

  /// Algorithm 2: features of both image sets, and then the last layer, cut after each step.
  @Test(arguments: SpectralLimit.Kind.allCases) func prlSimCLR(_ kind: SpectralLimit.Kind) throws {
    var c = SemiSupervisedDefense<PRL>.Configuration()
    (c.rule, c.recipe, c.labeled, c.limit.kind, c.limit.largest) = (filter(PRL.self), Self.recipe, 0.75, kind, 0.4)
    (c.pretraining.epochs, c.pretraining.batch) = (2, 20)
    let more = ImageDataset.tiny(count: 13, seed: 2)
    let outcome = try result(SemiSupervisedDefense(c), unlabeled: more)

    let context = TrainingContext(precision: .float32, seed: seed)
    let model = try newModel()
    let images = Tensor.concatenated([data.images, more.images])
    let all = ImageDataset(
      name: "both", images: images, labels: Tensor.full([57], -1, dtype: .int64), classNames: data.classNames)
    try c.pretraining.pretrain(model, on: all, context: context)
    model.eval()
    let features = noGrad { model.features(data.pixels(0..<44).contiguous(.channelsLast)).penultimate }
    let drawn = Generator(seed: seed.stream("defense")("labeled")).permutation(44).array(Int64.self)
    let labeled = Tensor(drawn.prefix(33).sorted())
    let head = model.namedParameters().filter { $0.key.hasPrefix("linear") }.map(\.tensor)
    #expect(head.count == 2)
    let optimizer = Adam(head, learningRate: 2e-3, betas: (0.8, 0.999), weightDecay: 0.03)
    for epoch in 0..<2 {
      optimizer.learningRate = epoch == 0 ? 2e-3 : 2e-3 * 0.3
      let order = labeled[Generator(seed: seed("prl-simclr-head/shuffle", epoch)).permutation(33)]
      for range in [0..<16, 16..<33] {  // A single last image joins the batch before.
        optimizer.zeroGrad()
        loss(model.logits(features[order[range]]), Rule(), data.labels[order[range]], epoch: epoch).value.backward()
        let gradients = head.compactMap(\.grad)
        let norm = gradients.map { ($0 * $0).sum().item() }.reduce(0, +).squareRoot()
        if norm > 0.4 { noGrad { for gradient in gradients { gradient.mul_(0.4 / (norm + 1e-6)) } } }
        optimizer.step()
        noGrad {
          guard let weight = head.first(where: { $0.rank == 2 }) else { return }
          switch kind {
          case .truncate: weight.copy_(weight.detach().truncatingSingularValues(at: 0.4))
          case .divide: weight.mul_(0.4 / weight.detach().singularValues().max().item())
          case .none: break
          }
        }
      }
    }
    try expectEqual(outcome, model, "prl-simclr")
  }
}
