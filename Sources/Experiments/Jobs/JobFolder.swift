public import Files
import Foundation
import Support
public import Training

/// What a long job keeps beside its output so that the same command goes on after an interruption: checkpoints, and
/// what the job is.
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
  /// - Throws: `JobError`, `RunStoreError`: the output exists, the folder belongs to another job, is in use, or cannot
  ///   be written.
  public init(at path: String? = nil, output: String, identity: JSONValue) throws {
    let output = Path.withoutFinalSlash(output)
    let path = Path.withoutFinalSlash(path ?? output + Self.suffix)
    self.path = path
    checkpoints = FolderCheckpoints(path)
    FileSystem.removeLeftovers(in: Path.parent(output))
    let earlier = try Self.storedIdentity(path)
    if earlier == nil, FileSystem.exists(output) { throw JobError.outputExists(path: output) }
    try FileSystem.createFolder(path)
    try FileSystem.createFolder(Path.parent(output))
    if let other = try FileSystem.list(path, hidden: true).first(where: { !Self.isOwn($0, begun: earlier != nil) }) {
      throw RunStoreError.holdsOtherFiles(directory: path, example: other)
    }
    lock = try RunLock(path: "\(path)/\(Self.lockName)", directory: path)
    FileSystem.removeLeftovers(in: path)
    let stored = try Self.storedIdentity(path)
    guard stored != identity else {
      try checkFree(output)
      return
    }
    // Nobody works here. Without a result of its work, what another job left is worth nothing.
    if let stored, !checkpoints.isEmpty || FileSystem.exists("\(path)/\(LearnedAttack.fileName)") {
      throw JobError.otherJob(folder: path, differences: SettingsDifference.lines(stored, identity))
    }
    if FileSystem.exists(output) { throw JobError.outputExists(path: output) }
    try AtomicFile.write(identity.prettyJSON + "\n", to: "\(path)/\(Self.identityName)")
  }

  /// Writes a result of the job. A file that has its name by now stays, unless an earlier process of the job had begun to
  /// write the result.
  /// - Throws: `JobError.outputAppeared`, and what `write` throws.
  public func publish(_ output: String, _ write: () throws -> Void) throws {
    try checkFree(output)
    let begun = try begun() + [Path.absolute(output)]
    try AtomicFile.write(begun.map { "\($0)\n" }.joined(), to: "\(path)/\(Self.publishedName)", followingLink: false)
    try write()
  }

  private func checkFree(_ output: String) throws {
    // A folder appears whole: whoever wrote it, it is there.
    if FileSystem.isFolder(output) { throw JobError.outputExists(path: output) }
    if FileSystem.exists(output), try !begun().contains(Path.absolute(output)) {
      throw JobError.outputAppeared(path: output, folder: path)
    }
  }

  /// Results that a process of this job has begun to write.
  private func begun() throws -> [String] {
    try FileSystem.readIfPresent("\(path)/\(Self.publishedName)").map {
      String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
    } ?? []
  }

  /// Does the job with the checkpoints of this folder. The folder is gone afterwards, unless the job stopped with a
  /// checkpoint to go on from.
  /// - Parameter job: gets this folder.
  public func perform<R>(_ context: TrainingContext, _ job: (JobFolder) throws -> R) throws -> R {
    context.checkpoints = checkpoints
    let (progress, status) = (context.progress, StatusFile(in: path))
    context.progress = SharedProgress([progress, status])
    defer {
      status.remove()
      context.progress = progress
    }
    // For a process that goes on: other threads or another precision would give other bits.
    let compute = try JSONValue(encoding: ComputePlan.Earlier(context)).prettyJSON
    try AtomicFile.write(compute + "\n", to: "\(path)/\(Self.computeName)")
    do {
      let result = try job(self)
      remove()
      return result
    } catch {
      if checkpoints.isEmpty { remove() }
      throw error
    }
  }

  /// Removes what the job made; a file that somebody else put here stays, and the folder with it.
  private func remove() {
    let entries = (try? FileSystem.list(path, hidden: true)) ?? []
    if entries.allSatisfy({ Self.isOwn($0, begun: true) }) {
      // At once, so that a kill in between leaves no half of a folder.
      FileSystem.removeWhole(path)
      return lock.release()
    }
    FileSystem.removeLeftovers(in: path)
    checkpoints.removeAll()
    for name in [
      LearnedAttack.fileName, StatusFile.name, Self.identityName, Self.computeName, Self.publishedName, Self.lockName,
    ] {
      try? FileSystem.remove("\(path)/\(name)")
    }
    lock.release()
    rmdir(path)
  }

  /// What an earlier process of the job with this folder computed with; nil where it left no result to go on from. The
  /// folder of another job with results is refused later.
  static func earlier(at path: String? = nil, output: String) -> ComputePlan.Earlier? {
    let folder = path ?? Path.withoutFinalSlash(output) + suffix
    guard !FolderCheckpoints(folder).isEmpty || FileSystem.exists("\(folder)/\(LearnedAttack.fileName)") else {
      return nil
    }
    let path = "\(folder)/\(computeName)"
    guard let bytes = try? FileSystem.readIfPresent(path), let tree = try? JSONValue(json: bytes, source: path) else {
      return nil
    }
    return try? tree.decode(ComputePlan.Earlier.self)
  }

  private static let computeName = "compute.json"
  /// Whether a file is of the kind that jobs leave here.
  /// - Parameter begun: Whether a job was begun here: before it, there is nothing but the lock.
  private static func isOwn(_ name: String, begun: Bool) -> Bool {
    if name == lockName || FileSystem.isTemporaryName(name) { return true }
    return begun
      && (name == identityName || name == computeName || name == publishedName || name == LearnedAttack.fileName
        || name == StatusFile.name
        || FolderCheckpoints.isName(name))
  }

  static let suffix = ".work"
  private static let lockName = ".lock"
  private static let identityName = "job.json"
  private static let publishedName = "published.txt"

  private static func storedIdentity(_ folder: String) throws -> JSONValue? {
    let path = "\(folder)/\(identityName)"
    if FileSystem.exists(folder), !FileSystem.isFolder(folder) { throw FileError(.read, path, code: ENOTDIR) }
    return try FileSystem.readIfPresent(path).map { try JSONValue(json: $0, source: path) }
  }
}
