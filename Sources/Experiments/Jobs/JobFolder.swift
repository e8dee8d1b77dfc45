import Foundation
public import Support
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
    var output = output
    while output.count > 1, output.hasSuffix("/") { output.removeLast() }
    let path = path ?? output + ".work"
    self.path = path
    checkpoints = FolderCheckpoints(path)
    let stored = try Self.storedIdentity(path)
    if stored == nil, RunFiles.exists(output) { throw JobError.outputExists(path: output) }
    try RunFiles.makeDirectory(path)
    if stored == nil, let other = try Self.content(of: path).first(where: { $0 != Self.lockName && !$0.hasSuffix(".tmp") }) {
      throw RunStoreError.holdsOtherFiles(directory: path, example: other)
    }
    if let stored, stored != identity {
      throw JobError.otherJob(folder: path, differences: SettingsDifference.lines(stored, identity))
    }
    lock = try RunLock(path: "\(path)/\(Self.lockName)", directory: path)
    if stored == nil { try RunFiles.replace("\(path)/\(Self.identityName)", with: Data((identity.prettyJSON + "\n").utf8)) }
    Self.removeLeftovers(of: output)
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
    lock.release()
    try? FileManager.default.removeItem(atPath: path)
  }

  private static let lockName = ".lock"
  private static let identityName = "job.json"

  private static func storedIdentity(_ folder: String) throws -> JSONValue? {
    let path = "\(folder)/\(identityName)"
    if RunFiles.exists(folder), !RunFiles.isDirectory(folder) { throw RunStoreError.notADirectory(path: folder) }
    guard let data = try RunFiles.read(path) else { return nil }
    return try JSONValue(json: data, source: path)
  }

  private static func content(of folder: String) throws(RunStoreError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw .unreadable(path: folder, reason: "its content cannot be listed")
    }
  }

  /// What a killed process left of writing the output.
  private static func removeLeftovers(of output: String) {
    let url = URL(fileURLWithPath: output)
    let folder = url.deletingLastPathComponent().path
    let prefix = ".\(url.lastPathComponent)."
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasPrefix(prefix) && name.hasSuffix(".tmp")
    {
      try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }
}
