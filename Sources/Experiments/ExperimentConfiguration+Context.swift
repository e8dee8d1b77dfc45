public import Support
import Torch
public import Training

extension ExperimentConfiguration {
  /// Where and how this configuration computes; says so to the user.
  /// - Parameter earlier: what an earlier process of the same job computed with; nil for a new job.
  /// - Throws: `TorchError` for a device that is missing.
  public func makeContext(
    progress: any ProgressReporter, goingOnFrom earlier: ComputePlan.Earlier? = nil
  ) throws -> TrainingContext {
    let plan = try ComputePlan(general, goingOnFrom: earlier)
    progress.message(plan.description)
    return plan.context(seed: seed, progress: progress)
  }

  /// The source of everything random.
  public var seed: Seed { Seed(UInt64(general.seed)) }
}
