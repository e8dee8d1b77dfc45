import Files
import Foundation
import Support
public import Torch
public import TorchNN

/// Runs the epochs of one stage: progress, interruption, the check for NaN, reports, checkpoints and exact resume. What
/// an epoch does is the caller's; for supervised training it is `Trainer`'s.
///
/// Randomness inside an epoch must come from streams that are derived from the epoch's number (`context.generator(name,
/// epoch)`); then a resumed run ends with the same bits as an undisturbed one.
public struct EpochLoop {
  public let stage: String
  public let epochs: Int
  /// Images that one epoch visits, for the progress bar.
  public let imagesPerEpoch: Int
  public let context: TrainingContext
  /// Whether `EpochReport.isMeasured`: false for helper models, such as the many weak learners of an ensemble.
  public let isMeasured: Bool

  public init(stage: String, epochs: Int, imagesPerEpoch: Int, context: TrainingContext, isMeasured: Bool = true) {
    self.stage = stage
    self.epochs = epochs
    self.imagesPerEpoch = imagesPerEpoch
    self.context = context
    self.isMeasured = isMeasured
  }

  /// Leaves no gradients behind in the optimizer's parameters.
  /// - Parameters:
  ///   - optimizer: its state is part of the checkpoint.
  ///   - states: what the method remembers besides, by name; part of the checkpoint.
  ///   - isFinished: asked before each epoch; true ends the stage early. It has to follow from the model's state, which
  ///     a resumed run has.
  ///   - body: one epoch; reports each step's loss to the meter.
  /// - Throws: `TrainingError.lossNotFinite`, `Interrupted` after Ctrl-C (a resumed run goes on), and what `body` or
  ///   the context throws.
  public func run(
    model: Module, optimizer: Optimizer, states: [String: TrainingState] = [:],
    until isFinished: () -> Bool = { false },
    _ body: (_ epoch: Int, _ meter: EpochMeter) throws -> Void
  ) throws {
    var first = 0
    let title = StageTitle.title(of: stage)
    if let checkpoint = try context.checkpoints?.load(stage: stage) {
      try restore(checkpoint, model, optimizer, states)
      first = checkpoint.epoch
      if first < epochs, !isFinished() {
        context.progress.message("\(title): going on after epoch \(first) of \(epochs)")
      }
    }
    try context.onStart?(stage, first)
    let (images, perEpoch) = (Double(epochs * imagesPerEpoch), Double(imagesPerEpoch))
    context.progress.beginStage(stage, images: images, done: min(Double(first) * perEpoch, images))
    defer { context.progress.endStage() }
    for epoch in first..<max(epochs, first) {
      if isFinished() { break }
      try Interruption.check()
      context.progress.begin("\(title) \(epoch + 1)/\(epochs)", total: imagesPerEpoch, unit: "images")
      model.reseedDropout(context.seed("\(stage)/dropout", epoch))
      let meter = EpochMeter(progress: context.progress, watch: context.cpuWatch, images: imagesPerEpoch)
      try body(epoch, meter)
      let seconds = meter.seconds
      let means = meter.means()
      for (key, value) in means where key == "loss" && !value.isFinite {
        throw TrainingError.lossNotFinite(stage: stage, epoch: epoch + 1, value: value)
      }
      let rate = Double(meter.images) / max(seconds, 1e-9)
      var values: [(key: String, value: Double)] = means
      values += [("learningRate", optimizer.learningRate), ("seconds", seconds), ("imagesPerSecond", rate)]
      context.progress.end(
        summary: means.map { "\(StageTitle.words($0.key).lowercased()) \(String(format: "%.4g", $0.value))" }.joined(
          separator: ", "))
      try context.onEpoch?(report(epoch + 1, model, meter, values))
      try save(epoch + 1, model, optimizer, states)
      // What was measured after the epoch is part of its time; an epoch may see other images than it was thought to.
      context.progress.advanceStage(images: perEpoch - meter.counted)
    }
    optimizer.zeroGrad()
  }

  private func report(_ epoch: Int, _ model: Module, _ meter: EpochMeter, _ values: [(key: String, value: Double)])
    -> EpochReport
  {
    EpochReport(
      stage: stage, epoch: epoch, epochs: epochs, model: model, isMeasured: isMeasured, selected: meter.selected(),
      values: values)
  }

  private func save(_ epoch: Int, _ model: Module, _ optimizer: Optimizer, _ states: [String: TrainingState]) throws {
    guard let store = context.checkpoints else { return }
    let tensors =
      model.stateDict().entries.map { ("model." + $0.key, $0.tensor) }
      + optimizer.stateDict().map { ("optimizer." + $0.key, $0.tensor) }
      + states.sorted { $0.key < $1.key }.flatMap { name, state in
        state.tensors.sorted { $0.key < $1.key }.map { ("state.\(name).\($0.key)", $0.value) }
      }
    try store.save(Checkpoint(epoch: epoch, tensors: tensors), stage: stage)
  }

  private func restore(
    _ checkpoint: Checkpoint, _ model: Module, _ optimizer: Optimizer, _ states: [String: TrainingState]
  ) throws {
    let state = StateDict(checkpoint.tensors)
    try model.load(state.stripping(prefix: "model."), source: "the checkpoint of stage \(stage)")
    let entries = state.stripping(prefix: "optimizer.").entries
    try optimizer.load(state: Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.tensor) }))
    for (name, remembered) in states {
      let entries = state.stripping(prefix: "state.\(name).").entries
      try remembered.load(Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.tensor) }), stage: stage)
    }
  }
}

/// Collects an epoch's losses without making the device wait. Several threads may report steps.
public final class EpochMeter {
  private let progress: any ProgressReporter
  private let watch: CPUWatch?
  private let start = Date()
  private var sums: [(key: String, sum: Tensor, weight: Double)] = []
  private var shown = Date.distantPast
  private var note = ""
  private var selections: [Tensor] = []
  private let lock = NSLock()
  public private(set) var images = 0
  /// Images that an epoch has, and those that the stage has gone on by: at most as many.
  private let expected: Int
  var counted: Double { Double(min(images, expected)) }

  init(progress: any ProgressReporter, watch: CPUWatch?, images: Int) {
    self.progress = progress
    self.watch = watch
    expected = images
  }

  var seconds: Double {
    Runtime.synchronize()
    return Date().timeIntervalSince(start)
  }

  /// Adds one step. `values` are scalar tensors (means over the step's images); the first should be called `loss`.
  /// - Throws: `Interrupted` after Ctrl-C.
  public func step(images count: Int, _ values: KeyValuePairs<String, Tensor>) throws {
    try step(images: count, values.map { ($0.key, $0.value) })
  }
  /// Adds one step with its loss, its parts, and the positions in the training set that it learned from, where the
  /// method chose them.
  func step(_ batch: Batch, _ loss: BatchLoss) throws {
    if let rows = loss.rows { select(batch.indices[rows]) }
    try step(images: batch.indices.count, [("loss", loss.value)] + loss.parts.map { ($0.key, $0.value) })
  }

  private func step(images count: Int, _ values: [(key: String, value: Tensor)]) throws {
    lock.withLock { add(count, values) }
    if let warning = watch?.check() { progress.message(warning) }
    try Interruption.check()
  }

  private func add(_ count: Int, _ values: [(key: String, value: Tensor)]) {
    noGrad {
      for (key, value) in values {
        let weighted = value.detach().to(.float64) * Double(count)
        if let index = sums.firstIndex(where: { $0.key == key }) {
          sums[index].sum.add_(weighted)
          sums[index].weight += Double(count)
        } else {
          sums.append((key, weighted, Double(count)))
        }
      }
    }
    let before = counted
    images += count
    progress.advanceStage(images: counted - before)
    // Reading a loss makes a GPU wait: twice a second is enough for a person.
    if let first = values.first, Date().timeIntervalSince(shown) > 0.5 {
      shown = Date()
      note = "\(StageTitle.words(first.key).lowercased()) \(String(format: "%.4f", first.value.item()))"
    }
    progress.update(done: images, note: note)
  }

  /// Notes the positions in the training set (int64) that a step learned from, for defenses that choose.
  public func select(_ indices: Tensor) { selections.append(indices.detach()) }

  func selected() -> [Int]? {
    selections.isEmpty ? nil : Tensor.concatenated(selections).array(Int64.self).map(Int.init)
  }

  func means() -> [(key: String, value: Double)] { sums.map { ($0.key, $0.sum.item() / $0.weight) } }
}
