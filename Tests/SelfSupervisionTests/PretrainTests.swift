import SelfSupervision
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The stage: what it changes, that it learns, that it goes on where it was interrupted.
@Suite struct PretrainTests {
  private let data = ImageDataset.tiny(count: 40)

  private func settings(_ method: SelfSupervisedTraining.Method) -> SelfSupervisedTraining {
    var settings = SelfSupervisedTraining()
    settings.method = method
    settings.epochs = 3
    settings.batch = 16
    settings.queue = 24
    settings.groups = 2
    settings.learningRate = 1
    settings.targetMomentum = 0.9
    return settings
  }

  private func pretrain(
    _ settings: SelfSupervisedTraining, on data: ImageDataset? = nil, store: (any CheckpointStore)? = nil,
    seed: Seed = 3
  ) throws -> Classifier {
    let model = try Classifier.tiny(for: self.data)
    try settings.pretrain(
      model, on: data ?? self.data, context: TrainingContext(precision: .float32, seed: seed, checkpoints: store),
      stage: "ssl")
    return model
  }

  @Test func isDocumented() { #expect(SettingsTree.checkSettings(SelfSupervisedTraining.self) == []) }

  /// The last layer stays, everything before it learns, labels do not matter.
  @Test(arguments: SelfSupervisedTraining.Method.allCases) func learnsFeaturesFromImages(
    _ method: SelfSupervisedTraining.Method
  ) throws {
    let start = try Classifier.tiny(for: data)
    let model = try pretrain(settings(method))
    #expect(!model.isTraining && model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil })
    for (before, after) in zip(start.namedParameters(), model.namedParameters()) {
      let changed = (before.tensor .!= after.tensor).any().intItem() == 1
      #expect(changed == !after.key.hasPrefix("linear"), "\(after.key)")
    }
    let other = data.relabeled(Tensor.zeros([data.count], dtype: .int64))
    expectSame(try pretrain(settings(method), on: other).snapshot(), model.snapshot(), "labels")
    let seeded = try pretrain(settings(method), seed: 4).snapshot()
    #expect(
      zip(seeded, model.snapshot()).contains { ($0.tensor .!= $1.tensor).any().intItem() == 1 }, "the seed matters")
  }

  /// Three epochs of two batches look nine times: killed in the second epoch and between epochs.
  @Test(arguments: SelfSupervisedTraining.Method.allCases, [0, 4, 6]) func resumesWithTheSameBits(
    _ method: SelfSupervisedTraining.Method, _ checks: Int
  ) throws {
    let whole = try pretrain(settings(method))
    let store = MemoryCheckpoints()
    #expect(throws: Interrupted.self) {
      try Interruption.simulated(afterChecks: checks) { _ = try pretrain(settings(method), store: store) }
    }
    let stored = try store.load(stage: "ssl")
    #expect(stored?.epoch == (checks < 3 ? nil : checks / 3))
    expectSame(try pretrain(settings(method), store: store).snapshot(), whole.snapshot())
    // A finished stage gives its model again without training.
    expectSame(try pretrain(settings(method), store: store).snapshot(), whole.snapshot())
  }

  /// The loss falls, and features of one class lie closer together than before: a sample's nearest neighbour shares its
  /// class.
  ///
  /// Not of MoCo, whose loss rises in so short a run: the first keys are random and easy to tell apart. What it does is
  /// pinned in `SelfSupervisedTwinTests`.
  @Test(arguments: [SelfSupervisedTraining.Method.simclr, .byol]) func findsClasses(
    _ method: SelfSupervisedTraining.Method
  ) throws {
    let data = ImageDataset.tiny(count: 96)
    var settings = settings(method)
    settings.epochs = 12
    settings.batch = 32
    settings.period = nil
    settings.learningRate = 2
    // The class is the place of a square: views must not move or mirror it.
    settings.smallestCrop = 0.9
    settings.flip = false
    let model = try Classifier.tiny(for: data)
    let context = TrainingContext(precision: .float32, seed: 1)
    var losses: [Double] = []
    context.onEpoch = { report in
      #expect(!report.isMeasured && report.values.map(\.key).prefix(2) == ["loss", "viewSimilarity"])
      losses.append(report.values[0].value)
    }
    try settings.pretrain(model, on: data, context: context, stage: "ssl")
    #expect(losses.count == 12 && losses.allSatisfy { $0.isFinite })
    #expect(losses[11] < losses[0], "\(losses)")
    func neighbours(_ model: Classifier) -> Double {
      model.eval()
      return noGrad {
        var x = model.features(data.pixels(0..<data.count).contiguous(.channelsLast)).penultimate
        x = x - x.mean([0], keep: true)
        x = x / x.norm(2, [1], keep: true)
        let nearest = (x.matmul(x.transposed()) - 3 * Tensor.eye(data.count)).argmax(1)
        return (data.labels[nearest] .== data.labels).to(.float32).mean().item()
      }
    }
    let (before, after) = (neighbours(try .tiny(for: data)), neighbours(model))
    #expect(after > 0.4 && after > before - 0.1, "\(before) before, \(after) after; chance is 0.25")
  }

  @Test func batchesRatesAndViews() throws {
    var settings = SelfSupervisedTraining()
    #expect(settings.rate(epoch: 0, step: 0, stepsPerEpoch: 10) == 0.4)
    expectClose(
      settings.rate(epoch: 99, step: 0, stepsPerEpoch: 10), 0.2 * (1 + 0.9520), tolerance: 1e-3, "1000 epochs' cosine")
    settings.batch = 128
    settings.period = nil
    #expect(settings.rate(epoch: 0, step: 3, stepsPerEpoch: 10) == 0.1)
    expectClose(settings.rate(epoch: 50, step: 0, stepsPerEpoch: 10), 0.05)
    settings.warmup = 2
    expectClose(settings.rate(epoch: 1, step: 4, stepsPerEpoch: 10), 0.1 * 15 / 20)
    settings.method = .byol
    settings.warmup = 0
    expectClose(settings.rate(epoch: 0, step: 0, stepsPerEpoch: 10), 0.06, "BYOL: .06 B / 128")

    settings = self.settings(.simclr)
    settings.images = 20
    settings.viewSize = 12
    var steps = 0
    let context = TrainingContext(precision: .float32)
    context.onEpoch = { report in steps += report.epoch }
    try settings.pretrain(try .tiny(for: data), on: data, context: context, stage: "ssl")
    #expect(steps == 6)
  }

  /// Positions of a transformer are for images of one size, and other networks halve their maps.
  @Test(arguments: [("vit_tiny", 12, "positions"), ("densenet121", 12, "too small")])
  func viewsThatDoNotFit(_ kind: String, _ side: Int, _ reason: String) throws {
    var shape = ModelShape(classes: 4, width: kind == "vit_tiny" ? 12 : 4, imageSize: 16)
    if kind == "vit_tiny" { (shape.depth, shape.heads, shape.patch) = (1, 3, 4) } else { shape.stem = .large }
    let model = try ModelKind.named(kind).make(shape, Generator(seed: 1))
    var settings = settings(.simclr)
    settings.viewSize = side
    let context = TrainingContext(precision: .float32)
    let error = #expect(throws: TrainingError.self) {
      try settings.pretrain(model, on: data, context: context, stage: "ssl")
    }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("viewSize \(side)") && text.contains(reason), "\(text)")
  }

  @Test func tooFewImages() throws {
    #expect(throws: TrainingError.self) { _ = try pretrain(settings(.simclr), on: data.prefix(1)) }
  }

  /// The last layer, found by what the logits depend on.
  @Test(arguments: ["cnn", "preactresnet18", "vgg19_bn"]) func head(_ kind: String) throws {
    let model = try Classifier.tiny(for: data, kind: kind)
    let keys = model.headParameters(features: model.featureCount(for: data)).map(\.key)
    #expect(
      keys == (kind == "vgg19_bn" ? ["classifier.6.weight", "classifier.6.bias"] : ["linear.weight", "linear.bias"]))
    #expect(model.parameters().allSatisfy { $0.grad == nil })
  }
}
