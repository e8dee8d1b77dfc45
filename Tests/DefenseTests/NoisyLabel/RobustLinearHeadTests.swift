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

/// Algorithm 2: the last layer on frozen features, and its singular values.
@Suite struct RobustLinearHeadTests {
  private func limit(_ kind: SpectralLimit.Kind, _ largest: Double = 1) -> SpectralLimit {
    var limit = SpectralLimit()
    limit.kind = kind
    limit.largest = largest
    return limit
  }

  @Test func singularValues() throws {
    let golden = try Golden("noisy_label")
    let input = try golden.tensor("spectral/input")
    expectClose(input.singularValues(), try golden.tensor("spectral/values"))
    for (kind, key) in [(SpectralLimit.Kind.truncate, "truncated"), (.divide, "divided")] {
      let weight = input.clone().requiresGrad_()
      limit(kind).apply(to: weight)
      expectClose(weight.detach(), try golden.tensor("spectral/\(key)"), key)
      expectClose(weight.detach().singularValues().max().item(), 1)
    }
    let weight = input.clone()
    limit(.none).apply(to: weight)
    expectSame(weight, input)
    let small = input * 0.01
    let copy = small.clone()
    limit(.truncate).apply(to: copy)
    expectClose(copy, small)
    limit(.divide, 2).apply(to: copy)
    expectClose(copy.singularValues().max().item(), 2)
  }

  /// One step on one batch, with each treatment of the singular values, against Python.
  @Test(arguments: [(SpectralLimit.Kind.none, "weight"), (.truncate, "truncated"), (.divide, "divided")])
  func oneStep(_ kind: SpectralLimit.Kind, _ key: String) throws {
    let golden = try NoisyLabelGolden()
    let model = try golden.network()
    // The golden's images are not whole 255ths; the features come from a network that gives the golden's.
    let features = try golden.golden.tensor("head/features")
    let frozen = FixedFeatures(features, head: model.linear)
    let data = ImageDataset(
      name: "fixed", images: Tensor.arange(12).to(.uint8).reshaped(12, 1, 1, 1), labels: golden.labels,
      classNames: (0..<5).map { "\($0)" })
    var recipe = Recipe.noisyLabel
    recipe.epochs = 1
    let head = RobustLinearHead(rule: PRL(), limit: limit(kind), recipe: recipe)
    var (selected, losses): ([Int]?, [Double]) = (nil, [])
    golden.context.onEpoch = { report in
      selected = report.selected
      losses = report.values.filter { $0.key == "loss" }.map(\.value)
    }
    let (logits, _) = try head.train(frozen, on: data, context: golden.context)
    expectClose(model.linear.weight.detach(), try golden.golden.tensor("head/\(key)"), tolerance: 3e-6, "weight")
    expectClose(
      try #require(model.linear.bias).wrappedValue.detach(), try golden.golden.tensor("head/bias"), tolerance: 3e-6,
      "bias")
    #expect(selected.map { Set($0) } == Set(try golden.golden.tensor("head/rows").array(Int64.self).map(Int.init)))
    expectClose(losses.first ?? .nan, try golden.golden.tensor("head/loss").item())
    expectSame(logits, noGrad { frozen.logits(features) })
    #expect(frozen.passes == 1, "features are computed once")
  }

  /// Gives each image, whose one pixel is its number, the features of that row.
  private final class FixedFeatures: Classifier {
    let table: Constant
    let head: Linear
    private(set) var passes = 0
    init(_ table: Tensor, head: Linear) {
      self.table = Constant(table)
      self.head = head
      super.init(classes: 5, normalization: .none)
    }
    override func features(normalized x: Tensor) -> Features {
      passes += 1
      let rows = (x * 255).round().to(.int64).flattened()
      return Features(stages: [], penultimate: table.value[rows])
    }
    override func logits(_ penultimate: Tensor) -> Tensor { head(penultimate) }
  }

  private let data = ImageDataset.tiny(count: 64)
  private func model() throws -> Classifier { try Classifier.tiny(for: data, kind: "preactresnet18") }

  /// The backbone stays bit for bit; the last layer trains and stays inside the limit.
  @Test func backboneStays() throws {
    let model = try model().train()
    let before = model.snapshot()
    var recipe = Recipe.noisyLabel
    recipe.epochs = 3
    recipe.batch = 16
    recipe.learningRate = 0.5
    let context = TrainingContext(precision: .float32)
    let head = RobustLinearHead(rule: SPL(), limit: limit(.truncate, 0.5), recipe: recipe)
    let (logits, _) = try head.train(model, on: data, context: context)
    for (old, new) in zip(before, model.snapshot()) {
      if old.key.hasPrefix("linear") {
        #expect((old.tensor .!= new.tensor).any().intItem() == 1)
      } else {
        expectSame(new.tensor, old.tensor, old.key)
      }
    }
    let weight = try #require(model.namedParameters().first { $0.key == "linear.weight" }).tensor.detach()
    #expect(weight.singularValues().max().item() <= 0.5 + 1e-5)
    expectClose(logits, model.logits(of: data, context: context), tolerance: 1e-5)
    #expect(!model.isTraining && model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil })
  }

  /// Labels outside the labelled share are not read.
  @Test func otherLabelsAreNotRead() throws {
    let labeled = Array(stride(from: 0, to: 64, by: 3))
    var wrong = data.labelArray().map(Int64.init)
    for index in 0..<64 where index % 3 != 0 { wrong[index] = 3 - wrong[index] }
    var recipe = Recipe.noisyLabel
    recipe.epochs = 2
    recipe.batch = 8
    var results: [Tensor] = []
    for set in [data, data.relabeled(Tensor(wrong))] {
      let context = TrainingContext(precision: .float32)
      context.onEpoch = { #expect($0.selected?.allSatisfy(labeled.contains) == true) }
      results.append(
        try RobustLinearHead(rule: PRL(), recipe: recipe).train(
          try model(), on: set, labeled: labeled, context: context
        ).logits)
    }
    expectSame(results[0], results[1])
  }

  @Test func augmentationIsRefused() throws {
    var recipe = Recipe.noisyLabel
    recipe.crop = 4
    let error = #expect(throws: DefenseError.self) {
      try RobustLinearHead(rule: PRL(), recipe: recipe).train(model(), on: data, context: TrainingContext())
    }
    #expect(error?.description.contains("defense.recipe.crop 4") == true)
    #expect(throws: DefenseError.self) {
      try RobustLinearHead(rule: PRL()).train(model(), on: data, labeled: [], context: TrainingContext())
    }
  }

  // MARK: The whole of algorithm 2

  private func defense(_ edit: (inout SemiSupervisedDefense<PRL>.Configuration) -> Void = { _ in })
    -> SemiSupervisedDefense<PRL>
  {
    var c = SemiSupervisedDefense<PRL>.Configuration()
    c.pretraining.epochs = 2
    c.pretraining.batch = 40
    c.recipe.epochs = 2
    c.recipe.batch = 16
    edit(&c)
    return SemiSupervisedDefense(c)
  }
  private func run(
    _ defense: SemiSupervisedDefense<PRL>, unlabeled: ImageDataset? = nil, store: MemoryCheckpoints? = nil,
    onEpoch: ((EpochReport) -> Void)? = nil
  ) throws -> DefenseOutcome {
    let context = TrainingContext(precision: .float32, seed: 4, checkpoints: store)
    context.onEpoch = onEpoch
    return try defense.train(
      on: data,
      architecture: {
        try ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16)).make($0)
      },
      unlabeled: unlabeled ?? ImageDataset.tiny(count: 16, seed: 2), context: context)
  }

  /// Killed inside the pretraining, between the stages, inside the head's training, and not at all.
  @Test(arguments: [1, 6, 8, 13, 60]) func resumesWithTheSameBits(_ checks: Int) throws {
    let whole = try run(defense())
    let store = MemoryCheckpoints()
    var interrupted = false
    do {
      _ = try Interruption.simulated(afterChecks: checks) { try run(defense(), store: store) }
    } catch is Interrupted { interrupted = true }
    #expect(interrupted == (checks < 16), "two epochs of two batches, two of four")
    let resumed = try run(defense(), store: store)
    expectSame(try #require(resumed.model).snapshot(), try #require(whole.model).snapshot())
    #expect(resumed.suspicion == whole.suspicion)
  }

  @Test func stages() throws {
    var reports: [(stage: String, measured: Bool, selected: Int?)] = []
    let outcome = try run(defense { $0.labeled = 0.5 }) {
      reports.append(($0.stage, $0.isMeasured, $0.selected?.count))
    }
    #expect(
      reports.map(\.stage) == ["pretrain", "pretrain", "prl-simclr-head", "prl-simclr-head"])
    #expect(reports.map(\.measured) == [false, false, true, true])
    #expect(reports.map(\.selected) == [nil, nil, 24, 24], "a quarter of 32 labelled images is dropped")
    #expect(outcome.suspicion?.count == 64 && outcome.filtered?.kept.count == 48)
  }

  @Test func imagesMustFit() throws {
    let error = #expect(throws: DefenseError.self) { try run(defense(), unlabeled: ImageDataset.tiny(channels: 1)) }
    #expect(error?.description.contains("1x16x16") == true && error?.description.contains("3x16x16") == true)
    #expect(throws: DefenseError.self) { try run(defense { $0.recipe.flip = true }) }
  }

  /// A training that diverges ends with the error of its loss.
  @Test(arguments: [SpectralLimit.Kind.truncate, .divide, .none]) func weightsThatAreNotFinite(
    _ kind: SpectralLimit.Kind
  ) {
    var limit = SpectralLimit()
    limit.kind = kind
    for value in [Float.nan, .infinity] {
      let weight = Tensor([1, 2, value, 4] as [Float], shape: [2, 2])
      limit.apply(to: weight)
      #expect(weight.array(Float.self).prefix(2) == [1, 2])
    }
  }
}
