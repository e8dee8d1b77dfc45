import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Training

/// Convolution, BatchNorm, ReLU, average, linear: the network of `make_mixmatch.py`.
private final class Network: Classifier {
  let conv = Conv2d(3, 4, kernel: 3, padding: 1, Generator(seed: 0))
  let norm = BatchNorm2d(4)
  let last = Linear(4, 3, Generator(seed: 0))

  init() {
    super.init(classes: 3, normalization: .none)
    fillWithPattern()
  }
  override func features(normalized x: Tensor) -> Features {
    Features(stages: [], penultimate: F.adaptiveAvgPool2d(norm(conv(x)).relu(), 1, 1).flattened(1))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { last(penultimate) }
}

@Suite struct MixMatchTests {
  private let context = TrainingContext(precision: .float32)

  /// One batch with a given ratio and permutation, against plain PyTorch: targets, losses, gradients, batch statistics.
  @Test(arguments: Golden.cases("mixmatch")) func step(_ name: String) throws {
    let golden = try Golden("mixmatch")
    let settings = golden.settings(of: name)
    let (batch, views) = (try #require(settings["batch"].int), try #require(settings["views"].int))
    let ratio = try #require(settings["ratio"].double)
    var mixMatch = MixMatch()
    mixMatch.batch = batch
    mixMatch.views = views
    mixMatch.temperature = try #require(settings["temperature"].double)
    mixMatch.guess = try #require(MixMatch.Statistics(rawValue: settings["guess"].string ?? ""))
    let images = imagePattern([batch, 3, 6, 6], 0.1)
    let others = (0..<views).map { imagePattern([batch, 3, 6, 6], 1.3 + Double($0)) }
    let labels = Tensor((0..<batch).map { Int64($0 * 2 % 3) })
    let rows = batch * (1 + views)
    let order = Tensor((0..<rows).map { Int64((5 * $0 + 2) % rows) })

    let guesses = mixMatch.guess(Network(), others, context)
    expectClose(guesses, try golden.tensor("\(name)/guesses"), "guesses")
    let all = Tensor.concatenated([labels.oneHot(3).to(.float32)] + others.map { _ in guesses })
    let mixed = MixMatch.mix(inputs: Tensor.concatenated([images] + others), targets: all, ratio: ratio, order: order)
    expectClose(mixed.targets, try golden.tensor("\(name)/targets"), "targets")
    expectClose(mixed.targets.sum([1]), Tensor.ones([rows]), "targets sum to one")
    expectClose(mixed.inputs.sum([1, 2, 3]), try golden.tensor("\(name)/mixed"), "mixed images")

    let model = Network()
    model.train()
    let losses = mixMatch.step(
      model, images: images, labels: labels, unlabeled: others, ratio: ratio, order: order, context)
    expectClose(losses.labeled, try golden.tensor("\(name)/lx"), "Lx")
    expectClose(losses.unlabeled, try golden.tensor("\(name)/lu"), "Lu")
    (losses.labeled + losses.unlabeled * 7.5).backward()
    let keys = ["0.weight", "0.bias", "1.weight", "1.bias", "5.weight", "5.bias"]
    for (key, parameter) in zip(keys, model.parameters()) {
      expectClose(
        try #require(parameter.grad), try golden.tensor("\(name)/grad/\(key)"), tolerance: 2e-4, floor: 1e-2,
        "gradient of \(key)")
    }
    expectClose(model.norm.runningMean, try golden.tensor("\(name)/mean"), tolerance: 1e-4, "running mean")
    expectClose(model.norm.runningVar, try golden.tensor("\(name)/var"), tolerance: 1e-4, "running variance")
  }

  @Test func sharpening() {
    let p = Tensor([0.5, 0.3, 0.2] as [Float], shape: [1, 3])
    expectClose(MixMatch.sharpened(p, temperature: 0.5), Tensor([0.25, 0.09, 0.04] as [Float], shape: [1, 3]) / 0.38)
    expectClose(MixMatch.sharpened(p, temperature: 1), p)
  }

  /// An exchange that undoes itself; each batch then holds about as many rows of every group.
  @Test(arguments: [(64, 3), (7, 3), (5, 2), (9, 4), (3, 3), (2, 3), (4, 1)]) func interleaving(
    _ batch: Int, _ groups: Int
  ) {
    let positions = MixMatch.interleaving(batch: batch, groups: groups).array(Int64.self).map(Int.init)
    #expect(positions.sorted() == Array(0..<(batch * groups)))
    #expect(positions.indices.allSatisfy { positions[positions[$0]] == $0 })
    let first = (0..<groups).map { group in positions[0..<batch].count { $0 / batch == group } }
    #expect(first.allSatisfy { $0 == batch / groups || $0 == batch / groups + 1 }, "\(first)")
  }

  @Test func ramp() {
    var mixMatch = MixMatch()
    #expect(
      mixMatch.weight(progress: 0) == 0 && mixMatch.weight(progress: 95) == 7.5 && mixMatch.weight(progress: 190) == 15)
    mixMatch.ramp = 10
    #expect(mixMatch.weight(progress: 5) == 7.5 && mixMatch.weight(progress: 40) == 15)
    mixMatch.ramp = 0
    #expect(mixMatch.weight(progress: 0) == 15)
    #expect(mixMatch.rate(epoch: 100) == 0.002)
    mixMatch.schedule = .cosine
    expectClose(mixMatch.rate(epoch: 95), 0.001)
  }

  /// Mean 1/2 and variance 1 / (4 (2 a + 1)).
  @Test(arguments: [0.2, 0.75, 1, 4]) func mixingRatios(_ a: Double) {
    var generator = Xoshiro256StarStar(seed: 3)
    let draws = (0..<20_000).map { _ in generator.beta(a) }
    let mean = draws.reduce(0, +) / 20_000
    let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    #expect(draws.allSatisfy { $0 >= 0 && $0 <= 1 })
    expectClose(mean, 0.5, tolerance: 0.02)
    expectClose(variance, 1 / (4 * (2 * a + 1)), tolerance: 0.04)
  }

  /// Positions come in random rounds, each of which holds all of them.
  @Test func order() {
    let positions = Tensor([3, 5, 9] as [Int64])
    let order = MixMatch.order(positions, count: 8, Generator(seed: 1)).array(Int64.self)
    #expect(order.count == 8 && order[0..<3].sorted() == [3, 5, 9] && order[3..<6].sorted() == [3, 5, 9])
  }

  // MARK: The loop

  private let data = ImageDataset.tiny(count: 48)
  private func train(
    _ store: (any CheckpointStore)? = nil, onEpoch: ((EpochReport) -> Void)? = nil,
    _ edit: (inout MixMatch) -> Void = { _ in }
  ) throws -> Classifier {
    var mixMatch = MixMatch()
    mixMatch.epochs = 2
    mixMatch.iterations = 3
    mixMatch.batch = 6
    mixMatch.crop = 1
    edit(&mixMatch)
    let model = try Classifier.tiny(for: data)
    let context = TrainingContext(precision: .float32, seed: 5, checkpoints: store)
    context.onEpoch = onEpoch
    try mixMatch.train(model, on: data, flip: false, context: context) { _ in
      CredibleSplit(losses: RobustLoss(.ce)(model.logits(of: data, context: context), data.labels), share: 0.5)
    }
    return model
  }

  /// Two epochs of three steps look eight times.
  @Test(arguments: [0, 2, 4, 6]) func resumesWithTheSameBits(_ checks: Int) throws {
    let whole = try train()
    let store = MemoryCheckpoints()
    #expect(throws: Interrupted.self) { try Interruption.simulated(afterChecks: checks) { _ = try train(store) } }
    expectSame(try train(store).snapshot(), whole.snapshot())
  }

  @Test func reports() throws {
    var reports: [EpochReport] = []
    _ = try train(onEpoch: { reports.append($0) })
    #expect(reports.count == 2)
    for report in reports {
      #expect(
        report.values.prefix(5).map(\.key) == ["loss", "labeledLoss", "unlabeledLoss", "credibleLoss", "otherLoss"])
      #expect(report.values[3].value < report.values[4].value && report.isMeasured)
      #expect(report.selected?.count == 24 && Set(report.selected ?? []).count == 24)
    }
  }

  /// Labels of samples outside the credible part change nothing.
  @Test func otherLabelsDoNotCount() throws {
    func run(_ labels: Tensor) throws -> Classifier {
      let model = try Classifier.tiny(for: data)
      var mixMatch = MixMatch()
      (mixMatch.epochs, mixMatch.iterations, mixMatch.batch) = (1, 4, 6)
      let losses = Tensor.arange(48, dtype: .float32)
      try mixMatch.train(model, on: data.relabeled(labels), context: TrainingContext(precision: .float32)) { _ in
        CredibleSplit(losses: losses, share: 0.5)
      }
      return model
    }
    let wrong = Tensor.concatenated([data.labels[0..<24], (data.labels[24..<48] + 1).remainder(4)])
    expectSame(try run(wrong).snapshot(), try run(data.labels).snapshot())
    let worse = Tensor.concatenated([(data.labels[0..<24] + 1).remainder(4), data.labels[24..<48]])
    #expect(
      zip(try run(worse).snapshot(), try run(data.labels).snapshot()).contains {
        ($0.tensor .!= $1.tensor).any().intItem() == 1
      })
  }

  /// A quarter of the labels is enough to learn the rest of an easy set.
  @Test func learns() throws {
    let model = try Classifier.tiny(for: data, width: 8)
    var mixMatch = MixMatch()
    (mixMatch.epochs, mixMatch.iterations, mixMatch.batch, mixMatch.learningRate, mixMatch.crop) = (4, 25, 12, 0.01, 0)
    let context = TrainingContext(precision: .float32)
    try mixMatch.train(model, on: data, flip: false, context: context) { _ in
      CredibleSplit(losses: Tensor.arange(48, dtype: .float32), share: 0.25)
    }
    let right = (model.logits(of: data, context: context).argmax(1) .== data.labels).to(.float32).mean().item()
    #expect(right > 0.9, "\(right)")
  }

  @Test func emptySide() {
    let error = #expect(throws: TrainingError.self) {
      try MixMatch().train(.tiny(for: data), on: data, context: context) { _ in
        CredibleSplit(losses: Tensor.ones([48]), share: 0)
      }
    }
    #expect(error?.description.contains("0 samples with labels and 48 without") == true)
  }

  @Test func isDocumented() { #expect(SettingsTree.checkSettings(MixMatch.self) == []) }

  /// The order of an epoch is drawn at once.
  @Test func moreImagesThanMemoryHolds() {
    var settings = MixMatch()
    (settings.iterations, settings.batch) = (10_000_000, 65_536)
    let error = #expect(throws: TrainingError.self) {
      try settings.train(.tiny(for: data), on: data, context: context) { _ in
        CredibleSplit(losses: Tensor.ones([48]), share: 0)
      }
    }
    #expect(error?.description.contains("iterations 10000000 of batch 65536") == true)
  }
}
