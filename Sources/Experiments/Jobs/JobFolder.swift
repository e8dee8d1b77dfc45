public import Files
import Foundation
public import Training

/// What a long job keeps beside its output so that the same command goes on after an interruption: checkpoints, and what the job is.
///
/// The folder belongs to one process at a time, and is removed when the job is finished.
public final class JobFolder {
  public let path: String
  public let checkpoints: FolderCheckpoints
  private let lock: RunLock

  /// Takes up or makes the folder.
  /// - Parameters:
  ///   - path: nil puts it beside the output: `<output>.work`.
  ///   - output: what the job makes; it must not exist unless the job was begun before.
  ///   - identity: everything that the result depends on.
  /// - Throws: `JobError`, `RunStoreError`: the output exists, the folder belongs to another job, is in use, or cannot be written.
  public init(at path: String? = nil, output: String, identity: JSONValue) throws {
    let output = Path.withoutFinalSlash(output)
    let path = path ?? output + ".work"
    self.path = path
    checkpoints = FolderCheckpoints(path)
    let stored = try Self.storedIdentity(path)
    if stored == nil, FileSystem.exists(output) {
      FileSystem.removeLeftovers(in: Path.parent(output))
      throw JobError.outputExists(path: output)
    }
    try FileSystem.createFolder(path)
    let entries = try FileSystem.list(path, hidden: true)
    if stored == nil, let other = entries.first(where: { $0 != Self.lockName && !FileSystem.isTemporaryName($0) }) {
      throw RunStoreError.holdsOtherFiles(directory: path, example: other)
    }
    if let stored, stored != identity {
      throw JobError.otherJob(folder: path, differences: SettingsDifference.lines(stored, identity))
    }
    lock = try RunLock(path: "\(path)/\(Self.lockName)", directory: path)
    if stored == nil { try AtomicFile.write(identity.prettyJSON + "\n", to: "\(path)/\(Self.identityName)") }
    for folder in [path, Path.parent(output)] { FileSystem.removeLeftovers(in: folder) }
  }

  /// Does the job with the checkpoints of this folder. The folder is gone afterwards, unless the job stopped with a checkpoint to go on from.
  public func perform<R>(_ context: TrainingContext, _ job: () throws -> R) throws -> R {
    context.checkpoints = checkpoints
    do {
      let result = try job()
      remove()
      return result
    } catch {
      if checkpoints.isEmpty { remove() }
      throw error
    }
  }

  private func remove() {
    FileSystem.removeWhole(path)
    lock.release()
  }

  private static let lockName = ".lock"
  private static let identityName = "job.json"

  private static func storedIdentity(_ folder: String) throws -> JSONValue? {
    let path = "\(folder)/\(identityName)"
    if FileSystem.exists(folder), !FileSystem.isFolder(folder) { throw FileError(.read, path, code: ENOTDIR) }
    return try FileSystem.readIfPresent(path).map { try JSONValue(json: $0, source: path) }
  }
}
