import Files
import Foundation

/// The folder of one run.
///
/// ```
/// record.json             what was asked and what came out; always complete, never half written
/// metrics.jsonl           one line an epoch
/// model.safetensors       the resulting model
/// checkpoint-<stage>.safetensors   what a killed run resumes from; see FolderCheckpoints
/// samples/                PNG images for the report
/// report.html             the report, and plotly.min.js beside it
/// events.out.tfevents.antidote     the epochs for TensorBoard, where it was asked for
/// status.json             while a process works here: how far it is, and how long the rest takes; see StatusFile
/// .lock                   held while a process works here
/// ```
public struct RunDirectory: Sendable {
  public static let recordName = "record.json"
  public static let metricsName = "metrics.jsonl"
  public static let modelName = "model.safetensors"
  public static let samplesName = "samples"
  public static let reportName = "report.html"
  /// The epochs for TensorBoard, which looks for this beginning of a name.
  public static let eventsName = "events.out.tfevents.antidote"
  static let lockName = ".lock"

  /// The folder's path, as given, without a slash at the end.
  public let path: String
  /// The id of the run that the folder belongs to.
  public let id: String
  private let lock: RunLock?

  /// Makes a run's folder, or takes up the one that the same run left, and keeps other processes out of it until
  /// ``release()``, or until the last copy of the returned value is gone.
  ///
  /// - Parameters:
  ///   - path: The folder; it and those above it are made where they are missing.
  ///   - id: The run's id. A folder with a record of another id is refused.
  /// A run that failed before it made anything gives way to another one: the same command with a corrected setting.
  /// - Throws: ``RunStoreError``: the folder belongs to another run, holds files but no run, or is in use by another
  ///   process. `FileError`: it cannot be written.
  public static func create(at path: String, id: String) throws -> RunDirectory {
    let path = Path.withoutFinalSlash(path)
    try FileSystem.createFolder(path)
    try checkOwner(of: path, id: id)
    let lock = try RunLock(path: path + "/" + lockName, directory: path)
    try checkOwner(of: path, id: id)  // Another process may have begun a run here between the first look and the lock.
    if let record = try storedRecord(in: path), record.id != id { try removeFailedRun(in: path) }
    FileSystem.removeLeftovers(in: path)
    let directory = RunDirectory(path: path, id: id, lock: lock)
    try FileSystem.createFolder(directory.samplesPath)
    FileSystem.removeLeftovers(in: directory.samplesPath)
    return directory
  }

  /// Opens the folder of a run for reading; the run may still be going on.
  ///
  /// - Throws: ``RunStoreError``: the folder holds no run, or its record is damaged or of an unknown format.
  public static func open(_ path: String) throws -> RunDirectory {
    let path = Path.withoutFinalSlash(path)
    guard let record = try storedRecord(in: path) else { throw RunStoreError.notARun(directory: path) }
    return RunDirectory(path: path, id: record.id, lock: nil)
  }

  /// Removes the folder of a run with everything in it.
  ///
  /// - Throws: ``RunStoreError``: the folder holds no run of Antidote's, is a link, or a process works in it. `FileError`:
  ///   it cannot be removed.
  public static func remove(_ path: String) throws {
    let path = Path.withoutFinalSlash(path)
    guard !FileSystem.isLink(path) else { throw RunStoreError.link(path) }
    guard try isAntidotes(path) else { throw RunStoreError.notARun(directory: path) }
    let lock = try RunLock(path: path + "/" + lockName, directory: path)
    defer { lock.release() }
    // The record goes last: a process that is killed meanwhile leaves what is still known as a run.
    for name in try FileSystem.list(path, hidden: true) where name != recordName && name != lockName {
      try FileSystem.remove(path + "/" + name)
    }
    try FileSystem.remove(path)
  }

  /// Whether there is a record with the members that every version has written, rather than another program's file of
  /// that name, or nothing but files that a run makes: a damaged record.
  private static func isAntidotes(_ path: String) throws -> Bool {
    let record = path + "/" + recordName
    guard FileSystem.isFile(record) else { return false }
    let bytes = try FileSystem.read(record)
    if let tree = try? JSONValue(json: bytes), tree.objectValue != nil {
      return tree["formatVersion"]?.intValue != nil && tree["id"]?.stringValue != nil
    }
    let others = [reportName, "plotly.min.js", SampleFindings.tableName]
    return try FileSystem.list(path).allSatisfy {
      withoutResult.contains($0) || others.contains($0) || $0.hasSuffix(".safetensors")
    }
  }

  /// Whether a finished run's folder holds its report, and nothing that is there only while a process works.
  ///
  /// - Throws: `FileError`: the folder cannot be listed.
  public static func isTidy(_ path: String) throws -> Bool {
    let names = try FileSystem.list(path)
    return names.contains(reportName) && !names.contains { $0 == StatusFile.name || FolderCheckpoints.isName($0) }
  }

  /// Lets other processes write to the folder. What is asked to write through this value later is refused.
  public func release() { lock?.release() }

  /// Whether other processes are kept out: `false` for a folder opened for reading or released, and on file systems
  /// without locks.
  public var isLocked: Bool {
    lock.map { $0.isHeld && !$0.isReleased } ?? false
  }

  public var recordPath: String { file(Self.recordName) }
  public var modelPath: String { file(Self.modelName) }
  public var samplesPath: String { file(Self.samplesName) }
  public var reportPath: String { file(Self.reportName) }
  /// The metrics of each epoch.
  public var metrics: MetricsLog { MetricsLog(path: file(Self.metricsName)) }

  /// The path of any other file of the run.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Reads the record.
  ///
  /// - Returns: `nil` if none was written yet.
  /// - Throws: ``RunStoreError``: the file cannot be read, is damaged or has an unknown format.
  public func readRecord() throws -> RunRecord? {
    try Self.storedRecord(in: path)
  }

  /// Writes the record, whole or not at all.
  ///
  /// - Throws: ``RunStoreError``: the folder is not claimed by this value, the record is of another run, the folder
  ///   cannot be written or the disk is full. The earlier record is then still there.
  public func write(_ record: RunRecord) throws {
    guard let lock, !lock.isReleased else { throw RunStoreError.notClaimed(directory: path) }
    guard record.id == id else {
      throw RunStoreError.belongsToAnotherRun(directory: path, found: id, expected: record.id)
    }
    try AtomicFile.write(try record.encoded(), to: recordPath)
  }

  /// What a run leaves that failed before it made a model, a checkpoint or a picture.
  private static let withoutResult: Set = [
    recordName, metricsName, eventsName, PoisonManifest.fileName, samplesName, lockName, StatusFile.name,
  ]

  private static func holdsNoResult(_ path: String) throws -> Bool {
    let samples = path + "/" + samplesName
    return try FileSystem.list(path, hidden: true).allSatisfy {
      withoutResult.contains($0) || FileSystem.isTemporaryName($0)
    } && (!FileSystem.exists(samples) || FileSystem.list(samples, hidden: true).allSatisfy(FileSystem.isTemporaryName))
  }

  /// The record goes last: a process that is killed meanwhile leaves a failed run.
  private static func removeFailedRun(in path: String) throws {
    for name in [metricsName, eventsName, PoisonManifest.fileName, StatusFile.name, recordName] {
      try FileSystem.remove(path + "/" + name)
    }
  }

  private static func storedRecord(in path: String) throws -> RunRecord? {
    let file = path + "/" + recordName
    var status = stat()
    // A folder that may not be read is not one without a run.
    guard stat(file, &status) == 0 || errno == ENOENT else { throw FileError(.read, file) }
    return try FileSystem.readIfPresent(file).map { try RunRecord.decoded(from: $0, path: file) }
  }

  /// Throws unless the folder is empty, or holds this run, or holds only what a run leaves that ended before its first
  /// record.
  private static func checkOwner(of path: String, id: String) throws {
    if let record = try storedRecord(in: path) {
      guard try record.id == id || (record.status == .failed && holdsNoResult(path)) else {
        throw RunStoreError.belongsToAnotherRun(directory: path, found: record.id, expected: id)
      }
      return
    }
    let own: Set = [lockName, samplesName, metricsName, StatusFile.name]
    let entries = try FileSystem.list(path, hidden: true)
    if let other = entries.first(where: { !own.contains($0) && !FileSystem.isTemporaryName($0) }) {
      throw RunStoreError.holdsOtherFiles(directory: path, example: other)
    }
  }
}
