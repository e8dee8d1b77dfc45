public import Torch

/// What a stage needs to go on after its last finished epoch.
public struct Checkpoint {
  /// Epochs that are finished.
  public var epoch: Int
  /// Model, optimizer and whatever else changes, by name.
  public var tensors: [(key: String, tensor: Tensor)]

  public init(epoch: Int, tensors: [(key: String, tensor: Tensor)]) {
    self.epoch = epoch
    self.tensors = tensors
  }

  /// Reads a safetensors file that `write` wrote.
  /// - Throws: `SafetensorsError`, `TrainingError.checkpoint`.
  public init(contentsOf path: String) throws {
    let file = try Safetensors.load(path)
    guard let epoch = file.metadata["epoch"].flatMap(Int.init), epoch >= 0 else {
      throw TrainingError.checkpoint(
        "\(path): no epoch in the metadata, so it is no checkpoint. Remove it to start the stage over.")
    }
    self.init(epoch: epoch, tensors: file.tensors)
  }

  /// Writes a safetensors file, at once or not at all.
  public func write(to path: String) throws {
    try Safetensors.save(tensors.map { ($0.key, $0.tensor.contiguous()) }, metadata: ["epoch": String(epoch)], to: path)
  }
}

/// Where checkpoints are kept. Saving replaces the stage's former checkpoint at once or not at all.
public protocol CheckpointStore: AnyObject {
  func load(stage: String) throws -> Checkpoint?
  func save(_ checkpoint: Checkpoint, stage: String) throws
}
