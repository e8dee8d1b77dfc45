public import Support
import Torch
public import Training

extension ExperimentConfiguration {
  /// Where and how this configuration computes.
  /// - Throws: `TorchError` for a device that is missing.
  public func makeContext(progress: any ProgressReporter) throws -> TrainingContext {
    if let threads = general.threads { Runtime.threadCount = threads }
    return TrainingContext(
      device: try Device(named: general.device), precision: general.precision, seed: seed, progress: progress)
  }

  /// The source of everything random.
  public var seed: Seed { Seed(UInt64(general.seed)) }
}
