import Foundation
import Torch
public import Training

/// A folder as the place of checkpoints: one safetensors file a stage, replaced after each epoch.
public final class FolderCheckpoints: CheckpointStore {
  private let folder: String
  public init(_ folder: String) { self.folder = folder }

  public func load(stage: String) throws -> Checkpoint? {
    let path = path(of: stage)
    return FileManager.default.fileExists(atPath: path) ? try Checkpoint(contentsOf: path) : nil
  }
  public func save(_ checkpoint: Checkpoint, stage: String) throws { try checkpoint.write(to: path(of: stage)) }

  public var isEmpty: Bool { names.isEmpty }

  /// Removes all checkpoints: what they were for is finished.
  public func removeAll() {
    for name in names { try? FileManager.default.removeItem(atPath: "\(folder)/\(name)") }
  }

  private var names: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasPrefix("checkpoint-") && $0.hasSuffix(".safetensors") }
  }

  /// Characters of the stage's name that do not suit a file name become "-".
  func path(of stage: String) -> String {
    let safe = stage.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) ? $0 : "-" }
    return "\(folder)/checkpoint-\(String(safe)).safetensors"
  }
}
