import Foundation
import Glibc
public import Support
public import Training

/// What a long job keeps beside its output so that the same command goes on after an interruption: checkpoints, and what the job is.
///
/// The folder belongs to one process at a time, and is removed when the job is finished.
public final class JobFolder: CheckpointStore {
  public let path: String
  /// True where an earlier process began this job.
  public let isResumed: Bool
  private let output: String
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
    self.output = output
    let stored = try Self.storedIdentity(path)
    if stored == nil, RunFiles.exists(output) {
      Self.removeLeftovers(of: output)
      throw JobError.outputExists(path: output)
    }
    try RunFiles.makeDirectory(path)
    if stored == nil, let other = try Self.content(of: path).first(where: { $0 != Self.lockName && !$0.hasSuffix(".tmp") }) {
      throw RunStoreError.holdsOtherFiles(directory: path, example: other)
    }
    if let stored, stored != identity {
      throw JobError.otherJob(folder: path, differences: SettingsDifference.lines(stored, identity))
    }
    lock = try RunLock(path: "\(path)/\(Self.lockName)", directory: path)
    isResumed = stored != nil
    if stored == nil { try RunFiles.replace("\(path)/\(Self.identityName)", with: Data((identity.prettyJSON + "\n").utf8)) }
    Self.removeLeftovers(of: output)
  }

  /// Does the job. The folder is gone afterwards, unless the job stopped with a checkpoint to go on from.
  public func perform<R>(_ job: () throws -> R) throws -> R {
    do {
      let result = try job()
      remove()
      return result
    } catch {
      let names = (try? Self.content(of: path)) ?? []
      if !names.contains(where: { $0.hasPrefix(Self.checkpointPrefix) && !$0.hasSuffix(".tmp") }) { remove() }
      throw error
    }
  }

  /// In one step under another name first: a folder that a killed process removed in part would be nobody's.
  private func remove() {
    let url = URL(fileURLWithPath: output)
    let gone = "\(url.deletingLastPathComponent().path)/.\(url.lastPathComponent).work-\(getpid()).tmp"
    let isRenamed = rename(path, gone) == 0
    lock.release()
    try? FileManager.default.removeItem(atPath: isRenamed ? gone : path)
  }

  public func load(stage: String) throws -> Checkpoint? {
    let path = checkpointPath(stage)
    return RunFiles.exists(path) ? try Checkpoint(contentsOf: path) : nil
  }
  public func save(_ checkpoint: Checkpoint, stage: String) throws { try checkpoint.write(to: checkpointPath(stage)) }

  private static let lockName = ".lock"
  private static let identityName = "job.json"
  private static let checkpointPrefix = "checkpoint-"

  private func checkpointPath(_ stage: String) -> String {
    let safe = stage.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) ? $0 : "-" }
    return "\(path)/\(Self.checkpointPrefix)\(String(safe)).safetensors"
  }

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

  /// What a killed process left of writing the output or of removing this folder.
  private static func removeLeftovers(of output: String) {
    let url = URL(fileURLWithPath: output)
    RunFiles.removeTemporaryFiles(in: url.deletingLastPathComponent().path, prefix: ".\(url.lastPathComponent).")
  }
}
