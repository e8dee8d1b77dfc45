import Dispatch
import Experiments
import Files
import Foundation
import Support
import Synchronization

/// All runs in a folder, by an index that is brought up to date from their records.
///
/// The index is a file of SQLite beside the runs. It is never the truth: it holds nothing that the records do not, and
/// may be removed at any time. A record is read again when its time or size has changed. Where the file cannot be
/// written, or is damaged, an index in memory takes its place.
public struct RunIndex {
  /// In the folder of the runs.
  public static let fileName = ".runs.sqlite"
  /// Another layout of the tables, or other values from the same records, makes an old file be built anew.
  private static let version = 2

  /// The version of SQLite in use.
  public static var libraryVersion: String { Database.libraryVersion }

  /// The folder in which the runs lie.
  public let folder: String
  /// How many records were read to bring the index up to date.
  public let readCount: Int
  private let database: Database

  /// Opens the index of a folder and brings it up to date.
  /// - Parameter rebuild: Whether all records are read, changed or not.
  /// - Throws: `FileError` where the folder cannot be read.
  public init(of folder: String, rebuild: Bool = false) throws {
    self.folder = Path.withoutFinalSlash(folder)
    let found = try RunScan.runs(in: self.folder)
    // A run by itself needs no index in its folder.
    let isRun = found.first?.folder == "."
    (database, readCount) = try Self.opened(
      isRun ? nil : Path.join(self.folder, Self.fileName), self.folder, found, rebuild: rebuild)
  }

  /// The file brought up to date; where that cannot be, the file built anew, and where it cannot be written, an index in
  /// memory.
  private static func opened(
    _ path: String?, _ folder: String, _ found: [RunScan.Found], rebuild: Bool
  ) throws -> (Database, Int) {
    do {
      return try upToDate(path, folder, found, rebuild: rebuild)
    } catch let error as DatabaseError {
      if !error.isBusy, let path, FileSystem.isFile(path), let replaced = try? replaced(path, folder, found) {
        return replaced
      }
      return try upToDate(nil, folder, found, rebuild: true)
    }
  }

  /// Builds a damaged file anew.
  private static func replaced(_ path: String, _ folder: String, _ found: [RunScan.Found]) throws -> (Database, Int) {
    for end in ["", "-journal"] { try FileSystem.remove(path + end) }
    return try upToDate(path, folder, found, rebuild: true)
  }

  private static func upToDate(
    _ path: String?, _ folder: String, _ found: [RunScan.Found], rebuild: Bool
  ) throws -> (Database, Int) {
    let database = try Database(path)
    // What a power cut takes is read again from the records.
    try database.execute("PRAGMA synchronous = OFF")
    if try rebuild || storedVersion(of: database) != Self.version { try makeTables(in: database) }
    return (database, try refresh(database, folder, found))
  }

  private static func storedVersion(of database: Database) throws -> Int? {
    let query = try database.prepare("PRAGMA user_version")
    var version: Int?
    while try query.step() { version = query.int(0) }
    return version
  }

  private static func makeTables(in database: Database) throws {
    try database.transaction {
      try database.execute(
        """
        DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS results; DROP TABLE IF EXISTS sections;
        DROP TABLE IF EXISTS run_sections;
        CREATE TABLE runs (
          number INTEGER PRIMARY KEY, folder TEXT UNIQUE NOT NULL, modified INTEGER NOT NULL, size INTEGER NOT NULL,
          id TEXT, title TEXT, status TEXT NOT NULL, failure TEXT, created INTEGER, finished INTEGER, command TEXT, flags TEXT);
        CREATE TABLE results (run INTEGER, metric TEXT, value REAL, PRIMARY KEY (run, metric)) WITHOUT ROWID;
        -- The settings of a section, once for all runs that have the same.
        CREATE TABLE sections (number INTEGER PRIMARY KEY, name TEXT, settings TEXT, UNIQUE (name, settings));
        CREATE TABLE run_sections (run INTEGER, section INTEGER, PRIMARY KEY (run, section)) WITHOUT ROWID;
        PRAGMA user_version = \(Self.version);
        """)
    }
  }

  /// Reads what is new or changed, and forgets what is gone.
  private static func refresh(_ database: Database, _ folder: String, _ found: [RunScan.Found]) throws -> Int {
    let seen = try changes(found, in: database)
    guard !seen.changed.isEmpty || !seen.outdated.isEmpty else { return 0 }
    return try database.transaction {
      // Another process may have written the same meanwhile: what counts is what stands there under the lock.
      let (changed, outdated) = try changes(found, in: database)
      let writer = try IndexWriter(database)
      for number in outdated { try writer.remove(number) }
      // A few thousand at a time: their texts need not be in memory all at once.
      for start in stride(from: 0, to: changed.count, by: 1000) {
        let part = Array(changed[start..<min(start + 1000, changed.count)])
        for (run, summary) in zip(part, summaries(of: part, in: folder)) { try writer.add(summary, run) }
      }
      return changed.count
    }
  }

  private static func changes(
    _ found: [RunScan.Found], in database: Database
  ) throws -> (changed: [RunScan.Found], outdated: [Int]) {
    var known: [String: (number: Int, modified: Int, size: Int)] = [:]
    let query = try database.prepare("SELECT folder, number, modified, size FROM runs")
    while try query.step() { known[query.text(0) ?? ""] = (query.int(1), query.int(2), query.int(3)) }
    var changed: [RunScan.Found] = []
    var outdated: [Int] = []
    for run in found {
      let stored = known.removeValue(forKey: run.folder)
      if let stored, stored.modified == run.modified, stored.size == run.size { continue }
      changed.append(run)
      if let stored { outdated.append(stored.number) }
    }
    // What nobody found is gone.
    return (changed, outdated + known.values.map(\.number))
  }

  /// Reads records on all cores.
  private static func summaries(of runs: [RunScan.Found], in folder: String) -> [RunSummary] {
    let results = Mutex<[RunSummary?]>(Array(repeating: nil, count: runs.count))
    DispatchQueue.concurrentPerform(iterations: runs.count) { index in
      let summary = RunSummary(at: folder, runs[index].folder)
      results.withLock { $0[index] = summary }
    }
    return results.withLock { $0.compactMap { $0 } }
  }
}

extension RunSummary {
  /// Reads a run's record. What cannot be read is a run too, of the status ``Status/damaged``.
  public init(at root: String, _ folder: String) {
    let path = folder == "." ? root : Path.join(root, folder)
    do {
      let file = Path.join(path, RunDirectory.recordName)
      let bytes = try FileSystem.read(file)
      self.init(try RunRecord.decoded(from: bytes, path: file, withPictures: false), folder: folder)
    } catch {
      self.init(damaged: error, folder: folder)
    }
  }
}

/// The statements that change the index.
private final class IndexWriter {
  private let database: Database
  private let addRun, addResult, addGroup, findGroup, addLink: Statement
  private let removals: [Statement]
  /// Groups that this writer has met already, by section and text.
  private var groups: [String: Int] = [:]

  init(_ database: Database) throws {
    self.database = database
    addRun = try database.prepare("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    addResult = try database.prepare("INSERT INTO results VALUES (?, ?, ?)")
    addGroup = try database.prepare("INSERT INTO sections VALUES (NULL, ?, ?)")
    findGroup = try database.prepare("SELECT number FROM sections WHERE name = ? AND settings = ?")
    addLink = try database.prepare("INSERT INTO run_sections VALUES (?, ?)")
    removals = try ["runs WHERE number", "results WHERE run", "run_sections WHERE run"].map {
      try database.prepare("DELETE FROM \($0) = ?")
    }
  }

  func remove(_ number: Int) throws { for removal in removals { try removal.run(.int(number)) } }

  func add(_ run: RunSummary, _ found: RunScan.Found) throws {
    let flags = run.flags.isEmpty ? nil : try JSONValue(encoding: run.flags).compactJSON
    try addRun.run(
      .text(run.folder), .int(found.modified), .int(found.size), .text(run.id), .text(run.title),
      .text(run.status.rawValue), .init(run.failure), .init(run.created),
      .init(run.finished), .init(run.command), .init(flags))
    let number = database.lastInsertedRow
    for (metric, value) in run.values { try addResult.run(.int(number), .text(metric), .double(value)) }
    for (name, settings) in Self.sections(run.settings) {
      try addLink.run(.int(number), .int(try group(name, settings)))
    }
  }

  /// Sections by name; what stands beside them under the name "".
  private static func sections(_ settings: JSONValue) -> [(String, String)] {
    guard let members = settings.objectValue else { return [] }
    let general = members.filter { $0.value.objectValue == nil }
    let sections = members.filter { $0.value.objectValue != nil }.map { ($0.key, $0.value.compactJSON) }
    return sections + (general.isEmpty ? [] : [("", JSONValue.object(general).compactJSON)])
  }

  private func group(_ name: String, _ settings: String) throws -> Int {
    let key = name + ":" + settings
    if let known = groups[key] { return known }
    try findGroup.bind([.text(name), .text(settings)])
    var number: Int?
    while try findGroup.step() { number = findGroup.int(0) }
    if number == nil {
      try addGroup.run(.text(name), .text(settings))
      number = database.lastInsertedRow
    }
    groups[key] = number
    return number ?? 0
  }
}

// MARK: - Reading

extension RunIndex {
  /// How many runs there are.
  public func count() throws -> Int {
    let query = try database.prepare("SELECT count(*) FROM runs")
    var count = 0
    while try query.step() { count = query.int(0) }
    return count
  }

  /// The runs, by their folders.
  /// - Parameter limit: The first so many; nil reads all.
  public func runs(first limit: Int? = nil) throws -> [RunSummary] {
    let end = limit.map { " ORDER BY folder LIMIT \(max(0, $0))" }
    let ofThese = end.map { " WHERE run IN (SELECT number FROM runs\($0))" } ?? ""
    let usedHere = end == nil ? "" : " WHERE number IN (SELECT section FROM run_sections\(ofThese))"
    var groups: [Int: [String: JSONValue]] = [:]
    let groupQuery = try database.prepare("SELECT number, name, settings FROM sections\(usedHere)")
    while try groupQuery.step() {
      let settings = try JSONValue(json: groupQuery.text(2) ?? "{}")
      let name = groupQuery.text(1) ?? ""
      groups[groupQuery.int(0)] = name.isEmpty ? settings.objectValue ?? [:] : [name: settings]
    }
    var places: [Int: Int] = [:]
    var runs: [RunSummary] = []
    // Most runs have the flags of many others.
    var known: [String: [RaisedFlag]] = [:]
    let query = try database.prepare(
      "SELECT number, folder, id, title, status, failure, created, finished, command, flags FROM runs"
        + (end ?? " ORDER BY folder"))
    while try query.step() {
      var run = RunSummary(
        folder: query.text(1) ?? "", status: query.text(4).flatMap(RunSummary.Status.init) ?? .damaged)
      run.id = query.text(2) ?? ""
      run.title = query.text(3) ?? ""
      run.failure = query.text(5)
      run.created = query.date(6)
      run.finished = query.date(7)
      run.command = query.text(8)
      if let text = query.text(9) {
        let flags = try known[text] ?? JSONValue(json: text).decode()
        known[text] = flags
        run.flags = flags
      }
      places[query.int(0)] = runs.count
      runs.append(run)
    }
    var settings = Array(repeating: [String: JSONValue](), count: runs.count)
    let links = try database.prepare("SELECT run, section FROM run_sections\(ofThese)")
    while try links.step() {
      guard let place = places[links.int(0)], let group = groups[links.int(1)] else { continue }
      settings[place].merge(group) { $1 }
    }
    for place in runs.indices { runs[place].settings = .object(settings[place]) }
    let results = try database.prepare("SELECT run, metric, value FROM results\(ofThese)")
    while try results.step() {
      guard let place = places[results.int(0)], let metric = results.text(1) else { continue }
      runs[place].values[metric] = results.double(2)
    }
    return runs
  }
}

/// Dates are whole seconds since 1970, as those of records are whole seconds.
extension Statement.Value {
  fileprivate init(_ date: Date?) { self.init(date.flatMap { Int(exactly: $0.timeIntervalSince1970.rounded()) }) }
}
extension Statement {
  fileprivate func date(_ column: Int) -> Date? {
    isNull(column) ? nil : Date(timeIntervalSince1970: Double(int(column)))
  }
}
