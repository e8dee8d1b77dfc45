import Foundation

/// The folder of one run.
///
/// ```
/// record.json             what was asked and what came out; always complete, never half written
/// metrics.jsonl           one line an epoch
/// model.safetensors       the resulting model
/// checkpoint-<stage>.safetensors   what a killed run resumes from
/// log.txt                 what the terminal showed
/// samples/                PNG images for the report
/// report.html             the report, and plotly.min.js beside it
/// .lock                   held while a process works here
/// ```
public struct RunDirectory: Sendable {
  public static let recordName = "record.json"
  public static let metricsName = "metrics.jsonl"
  public static let modelName = "model.safetensors"
  public static let logName = "log.txt"
  public static let samplesName = "samples"
  public static let reportName = "report.html"
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
  /// - Throws: ``RunStoreError``: the folder belongs to another run, holds files but no run, is in use by another process, or cannot
  ///   be written.
  public static func create(at path: String, id: String) throws(RunStoreError) -> RunDirectory {
    let path = withoutFinalSlash(path)
    try RunFiles.makeDirectory(path)
    try checkOwner(of: path, id: id)
    let lock = try RunLock(path: path + "/" + lockName, directory: path)
    try checkOwner(of: path, id: id)  // Another process may have begun a run here between the first look and the lock.
    let directory = RunDirectory(path: path, id: id, lock: lock)
    try RunFiles.makeDirectory(directory.samplesPath)
    if lock.isHeld { for folder in [path, directory.samplesPath] { RunFiles.removeTemporaryFiles(in: folder) } }
    return directory
  }

  /// Opens the folder of a run for reading; the run may still be going on.
  ///
  /// - Throws: ``RunStoreError``: the folder holds no run, or its record is damaged or of an unknown format.
  public static func open(_ path: String) throws(RunStoreError) -> RunDirectory {
    let path = withoutFinalSlash(path)
    guard let record = try storedRecord(in: path) else { throw .notARun(directory: path) }
    return RunDirectory(path: path, id: record.id, lock: nil)
  }

  /// Lets other processes write to the folder. What is asked to write through this value later is refused.
  public func release() { lock?.release() }

  /// Whether other processes are kept out: `false` for a folder opened for reading or released, and on file systems without locks.
  public var isLocked: Bool {
    lock.map { $0.isHeld && !$0.isReleased } ?? false
  }

  public var recordPath: String { file(Self.recordName) }
  public var modelPath: String { file(Self.modelName) }
  public var logPath: String { file(Self.logName) }
  public var samplesPath: String { file(Self.samplesName) }
  public var reportPath: String { file(Self.reportName) }
  /// The metrics of each epoch.
  public var metrics: MetricsLog { MetricsLog(path: file(Self.metricsName)) }

  /// The path of any other file of the run.
  public func file(_ name: String) -> String { path + "/" + name }

  /// The path of a stage's checkpoint. Characters of the stage's name that do not suit a file name become "-".
  public func checkpointPath(for stage: String) -> String {
    let safe = stage.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) ? $0 : "-" }
    return file("checkpoint-\(String(safe)).safetensors")
  }

  /// Reads the record.
  ///
  /// - Returns: `nil` if none was written yet.
  /// - Throws: ``RunStoreError``: the file cannot be read, is damaged or has an unknown format.
  public func readRecord() throws(RunStoreError) -> RunRecord? {
    try Self.storedRecord(in: path)
  }

  /// Writes the record, whole or not at all.
  ///
  /// - Throws: ``RunStoreError``: the folder is not claimed by this value, the record is of another run, the folder cannot be written
  ///   or the disk is full. The earlier record is then still there.
  public func write(_ record: RunRecord) throws(RunStoreError) {
    guard let lock, !lock.isReleased else { throw .notClaimed(directory: path) }
    guard record.id == id else { throw .belongsToAnotherRun(directory: path, found: id, expected: record.id) }
    let data: Data
    do {
      data = try record.encoded()
    } catch {
      throw .unwritable(path: recordPath, reason: "the record cannot be encoded (\(error))")
    }
    try RunFiles.replace(recordPath, with: data)
  }

  private static func withoutFinalSlash(_ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private static func storedRecord(in path: String) throws(RunStoreError) -> RunRecord? {
    if RunFiles.exists(path), !RunFiles.isDirectory(path) { throw .notADirectory(path: path) }
    let file = path + "/" + recordName
    guard let data = try RunFiles.read(file) else { return nil }
    return try RunRecord.decoded(from: data, path: file)
  }

  /// Throws unless the folder is empty, or holds this run, or holds only what a run leaves that ended before its first record.
  private static func checkOwner(of path: String, id: String) throws(RunStoreError) {
    if let record = try storedRecord(in: path) {
      guard record.id == id else { throw .belongsToAnotherRun(directory: path, found: record.id, expected: id) }
      return
    }
    let entries: [String]
    do {
      entries = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw .unreadable(path: path, reason: "its content cannot be listed")
    }
    // Unfinished atomic writes are called ".antidote-...".
    let own: Set = [lockName, logName, samplesName, metricsName]
    if let other = entries.sorted().first(where: { !own.contains($0) && !$0.hasPrefix(".antidote-") }) {
      throw .holdsOtherFiles(directory: path, example: other)
    }
  }
}
