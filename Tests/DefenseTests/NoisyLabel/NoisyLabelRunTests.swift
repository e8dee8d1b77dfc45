import Backdoor
import Defenses
import Files
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Whole trainings by the rules.
@Suite struct NoisyLabelRunTests {
  private let data = ImageDataset.tiny(count: 64)

  /// Seven labels of all classes moved on by one.
  private var noisy: (data: ImageDataset, flipped: [Int]) {
    let flipped = (0..<64).filter { $0 % 9 == 4 }
    var labels = data.labelArray().map(Int64.init)
    for index in flipped { labels[index] = (labels[index] + 1) % 4 }
    return (data.relabeled(Tensor(labels)), flipped)
  }
  private func run<D: Defense>(
    _ defense: D, _ data: ImageDataset? = nil, store: MemoryCheckpoints? = nil, seed: Seed = 3,
    onEpoch: ((EpochReport) -> Void)? = nil
  ) throws -> DefenseOutcome {
    let context = TrainingContext(precision: .float32, seed: seed, checkpoints: store)
    context.onEpoch = onEpoch
    return try defense.train(
      on: data ?? self.data,
      architecture: {
        try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16)).make($0)
      },
      unlabeled: self.data.prefix(16), context: context)
  }
  private func recipe(epochs: Int, rate: Double = 3e-4) -> Recipe {
    var recipe = Recipe.noisyLabel
    recipe.epochs = epochs
    recipe.batch = 16
    recipe.learningRate = rate
    return recipe
  }
  private func reinforced<R: NoisyLabelAlgorithm>(_ type: R.Type, epochs: Int, rate: Double = 3e-4)
    -> ReinforcedDefense<R>
  {
    var c = ReinforcedDefense<R>.Configuration()
    c.recipe = recipe(epochs: epochs, rate: rate)
    return ReinforcedDefense(c)
  }

  @Test func thePaperIsTheDefault() {
    let c = ReinforcedDefense<PRL>.Configuration()
    #expect(c.adversary.tau == 0.05 && c.variant == .both && c.rule.ramp == 0 && Bootstrap().alpha == 0.8)
    #expect(
      c.recipe.optimizer == .adamw && c.recipe.learningRate == 3e-4 && c.recipe.batch == 128 && c.recipe.epochs == 100)
    #expect(c.recipe.crop == 0 && !c.recipe.flip)
    #expect(Recipe.noisyLabel.schedule == .constant, "the published schedule")
    #expect(c.recipe.schedule == .oneCycle, "decided")
    #expect(c.rule.window == 1)
    #expect(ReinforcedDefense<SPL>.id == "spl-at" && NoisyLabelDefense<Bootstrap>.id == "bootstrap")
  }

  /// The idea: the samples with wrong labels are found, and what was learned is right.
  @Test func findsWrongLabels() throws {
    let (noisy, flipped) = noisy
    func check(_ outcome: DefenseOutcome, _ name: String) throws {
      let filtered = try #require(outcome.filtered)
      #expect(filtered.rejected == flipped && filtered.kept.count == 57, "\(name): \(filtered.rejected)")
      let suspicion = try #require(outcome.suspicion)
      let least = flipped.map { suspicion[$0] }.min() ?? 0
      #expect(filtered.kept.allSatisfy { suspicion[$0] < least }, "\(name)")
      let model = try #require(outcome.model)
      #expect(!model.isTraining)
      let found = noGrad { model.logits(of: data, context: TrainingContext(precision: .float32)).argmax(1) }
      #expect((found .== data.labels).to(.float32).mean().item() == 1, "\(name)")
      #expect(outcome.scores.count == 2 && outcome.scores.allSatisfy { $0.values.count == 64 })
      let own = try #require(outcome.scores.first { $0.threshold != nil })
      #expect(own.values == suspicion && own.threshold == filtered.kept.map { suspicion[$0] }.max())
      #expect(outcome.scores.count { $0.threshold != nil } == 1)
    }
    func filter<R: FilteringRule>(_ type: R.Type) -> R {
      var rule = R()
      rule.rate = 7 / 64
      rule.ramp = 6
      return rule
    }
    var prl = NoisyLabelDefense<PRL>.Configuration()
    prl.rule = filter(PRL.self)
    prl.recipe = recipe(epochs: 20, rate: 5e-3)
    try check(try run(NoisyLabelDefense(prl), noisy), "PRL")
    var spl = reinforced(SPL.self, epochs: 20, rate: 5e-3).configuration
    spl.rule = filter(SPL.self)
    try check(try run(ReinforcedDefense(spl), noisy), "SPL-AT")
  }

  /// Algorithms that filter say what they learned from; the others learn from all and give no verdict.
  @Test func saysWhatItLearnedFrom() throws {
    var reports: [[Int]?] = []
    var defense = reinforced(PRL.self, epochs: 3).configuration
    defense.rule.rate = 0.5
    defense.rule.ramp = 2
    let outcome = try run(ReinforcedDefense(defense)) { reports.append($0.selected) }
    #expect(reports.map { $0?.count } == [64, 32, 32], "the ramp drops nothing in its first epoch")
    #expect(reports.allSatisfy { $0.map { Set($0).count == $0.count && $0.allSatisfy((0..<64).contains) } ?? false })
    #expect(outcome.filtered?.kept.count == 32)

    reports = []
    let bootstrap = try run(reinforced(Bootstrap.self, epochs: 2)) { reports.append($0.selected) }
    #expect(reports == [nil, nil] && bootstrap.filtered == nil && bootstrap.suspicion?.count == 64)
    #expect(bootstrap.scores.allSatisfy { $0.threshold == nil })

    reports = []
    defense.variant = .inner
    let inner = try run(ReinforcedDefense(defense)) { reports.append($0.selected) }
    #expect(
      reports == [nil, nil, nil] && inner.filtered?.kept.count == 32, "the verdict is the rule's also in the ablation")
  }

  /// Which of the two problems a variant leaves without the rule; AT alone.
  @Test func variants() throws {
    var models: [[(key: String, tensor: Tensor)]] = []
    func explicit(_ outer: any NoisyLabelRule, _ inner: any NoisyLabelRule, _ stage: String) throws -> [(
      key: String, tensor: Tensor
    )] {
      let model = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16)).make(
        Generator(seed: Seed(3).stream("defense")("init")))
      let training = NoisyLabelTraining(
        rule: outer, adversary: FastGradientSign(), innerRule: inner, recipe: recipe(epochs: 1), stage: stage)
      try training.train(model, on: data, context: TrainingContext(precision: .float32, seed: 3))
      return model.snapshot()
    }
    let rules: [(RuleVariant, any NoisyLabelRule, any NoisyLabelRule)] = [
      (.both, PRL(), PRL()), (.inner, EverySample(), PRL()), (.outer, PRL(), EverySample()),
      (.none, EverySample(), EverySample()),
    ]
    #expect(rules.map(\.0) == RuleVariant.allCases)
    for (variant, outer, inner) in rules {
      var c = reinforced(PRL.self, epochs: 1).configuration
      c.variant = variant
      models.append(try #require(try run(ReinforcedDefense(c)).model).snapshot())
      expectSame(models[models.count - 1], try explicit(outer, inner, "prl-at"), variant.rawValue)
    }
    for a in 0..<4 {
      for b in 0..<a { #expect(zip(models[a], models[b]).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 }) }
    }
    var at = FastAdversarialTraining.Configuration()
    at.recipe = recipe(epochs: 1)
    expectSame(
      try #require(try run(FastAdversarialTraining(at)).model).snapshot(),
      try explicit(EverySample(), EverySample(), "noisy-at"), "AT")
  }

  @Test(arguments: [2, 7, 40]) func resumesWithTheSameBits(_ checks: Int) throws {
    let defense = reinforced(PRL.self, epochs: 3)
    let whole = try run(defense)
    let store = MemoryCheckpoints()
    var interrupted = false
    do {
      _ = try Interruption.simulated(afterChecks: checks) { try run(defense, store: store) }
    } catch is Interrupted { interrupted = true }
    #expect(interrupted == (checks < 15), "three epochs of four batches look fifteen times")
    let resumed = try run(defense, store: store)
    expectSame(try #require(resumed.model).snapshot(), try #require(whole.model).snapshot())
    #expect(resumed.suspicion == whole.suspicion && resumed.filtered?.kept == whole.filtered?.kept)
  }

  @Test func emptySetIsRefused() throws {
    let error = #expect(throws: TrainingError.self) { try run(reinforced(PRL.self, epochs: 1), data.prefix(0)) }
    #expect(error?.description == "prl-at: the training set is empty.")
  }

  @Test func wrongSettingsAreRefused() throws {
    for (id, wrong) in [
      ("prl", ["rule": ["rate": 1.5]]), ("spl-at", ["adversary": ["tau": -1]]), ("prl-at", ["variant": "outside"]),
      ("bootstrap", ["rule": ["rate": 0.2]]), ("noisy-at", ["rule": "prl"]), ("prl-at", ["adversary": ["form": "eq5"]]),
    ] as [(String, JSONValue)] {
      #expect(throws: SettingsError.self) { try DefenseKind.named(id).make(wrong) }
    }
  }
}
