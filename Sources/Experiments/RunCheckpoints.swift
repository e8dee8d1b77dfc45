import Files
import Torch
public import Training

/// A run directory as the place of checkpoints: one safetensors file a stage, replaced after each epoch.
public final class RunCheckpoints: CheckpointStore {
  private let directory: RunDirectory
  public init(_ directory: RunDirectory) { self.directory = directory }

  public func load(stage: String) throws -> Checkpoint? {
    let path = directory.checkpointPath(for: stage)
    return FileSystem.exists(path) ? try Checkpoint(contentsOf: path) : nil
  }
  public func save(_ checkpoint: Checkpoint, stage: String) throws { try checkpoint.write(to: directory.checkpointPath(for: stage)) }

  /// Removes all checkpoints: the run is finished.
  public func removeAll() {
    let names = (try? FileSystem.list(directory.path)) ?? []
    for name in names where name.hasPrefix("checkpoint-") && name.hasSuffix(".safetensors") {
      try? FileSystem.remove(directory.file(name))
    }
  }
}
