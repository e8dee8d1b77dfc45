import Files
import Torch
public import Training

/// A folder as the place of checkpoints: one safetensors file a stage, replaced after each epoch.
public final class FolderCheckpoints: CheckpointStore {
  private let folder: String
  public init(_ folder: String) { self.folder = folder }

  public func load(stage: String) throws -> Checkpoint? {
    let path = path(of: stage)
    return FileSystem.exists(path) ? try Checkpoint(contentsOf: path) : nil
  }
  public func save(_ checkpoint: Checkpoint, stage: String) throws { try checkpoint.write(to: path(of: stage)) }

  public var isEmpty: Bool { names.isEmpty }

  /// Removes all checkpoints: what they were for is finished.
  public func removeAll() {
    for name in names { try? FileSystem.remove("\(folder)/\(name)") }
  }

  /// Removes a stage's checkpoint: what it was for is finished.
  public func remove(stage: String) { try? FileSystem.remove(path(of: stage)) }

  private var names: [String] {
    let names = (try? FileSystem.list(folder)) ?? []
    return names.filter(Self.isName)
  }

  /// Whether a file's name is that of a checkpoint.
  static func isName(_ name: String) -> Bool { name.hasPrefix("checkpoint-") && name.hasSuffix(".safetensors") }

  /// Characters of the stage's name that do not suit a file name become "-".
  func path(of stage: String) -> String {
    "\(folder)/checkpoint-\(Path.safeName(stage)).safetensors"
  }
}
