public import Support
public import Torch
public import TorchNN

/// Where and how a computation runs, and who watches it. Everything that trains takes one.
public final class TrainingContext {
  public let device: Device
  /// The dtype of convolutions and products; nil for float32.
  public let autocastType: DType?
  public let seed: Seed
  public var progress: any ProgressReporter
  /// Where stages keep checkpoints; nil keeps none.
  public var checkpoints: (any CheckpointStore)?
  /// Called after each epoch, before its checkpoint, with the stage's own values; may add to them (an accuracy on test
  /// data, say).
  public var onEpoch: ((EpochReport) throws -> Void)?
  /// Called when a stage begins, with the epochs that a checkpoint has already: what was noted of later ones is about
  /// to be done again.
  public var onStart: ((_ stage: String, _ finished: Int) throws -> Void)?
  /// Called in place of a stage whose outcome other runs may have too, such as self-supervised features: gives `model`
  /// that outcome, or calls `compute`, which trains it. nil computes it.
  public var sharing: ((_ stage: String, _ model: Module, _ compute: () throws -> Void) throws -> Void)?
  /// Warns when other processes take the CPU; nil on a GPU.
  let cpuWatch: CPUWatch?

  public init(
    device: Device = .cpu, precision: Precision = .auto, seed: Seed = Seed(0),
    progress: any ProgressReporter = SilentProgress(),
    checkpoints: (any CheckpointStore)? = nil
  ) {
    self.device = device
    autocastType = precision.autocastType(on: device)
    cpuWatch = device.isCUDA ? nil : CPUWatch(threads: Runtime.threadCount)
    self.seed = seed
    self.progress = progress
    self.checkpoints = checkpoints
  }

  /// Runs `body` in this context's precision.
  public func compute<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    try autocast(autocastType, on: device, body)
  }

  /// A random stream of this run on its device, by name.
  public func generator(_ name: String) -> Generator { Generator(seed: seed(name), device: device) }
  public func generator(_ name: String, _ epoch: Int) -> Generator {
    Generator(seed: seed(name, epoch), device: device)
  }
}

/// What an epoch brought.
public struct EpochReport {
  public let stage: String
  /// From 1.
  public let epoch: Int
  public let epochs: Int
  public let model: Module
  /// Whether the model is one that somebody would use, so that measuring it on test data says something.
  public let isMeasured: Bool
  /// Positions in the training set that the epoch learned from, where it chose; a sample may occur more than once.
  public let selected: [Int]?
  public var values: [(key: String, value: Double)]
}
