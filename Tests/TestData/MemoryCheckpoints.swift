import Torch
public import Training

/// Checkpoints in memory.
public final class MemoryCheckpoints: CheckpointStore {
  private var stages: [String: Checkpoint] = [:]
  public init() {}
  public func load(stage: String) throws -> Checkpoint? { stages[stage] }
  public func save(_ checkpoint: Checkpoint, stage: String) throws {
    var copy = checkpoint
    copy.tensors = noGrad { checkpoint.tensors.map { ($0.key, $0.tensor.detach().clone()) } }
    stages[stage] = copy
  }
}
