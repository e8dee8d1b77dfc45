import CSQLite
import Files

/// An error of SQLite, with the file that it concerns.
struct DatabaseError: Error, CustomStringConvertible {
  let path: String
  let code: Int32
  let message: String

  var description: String { "\(escaped(path)): \(message) (SQLite error \(code))" }

  /// Whether another process is writing: nothing is wrong with the file.
  var isBusy: Bool { code & 0xFF == SQLITE_BUSY }
}

/// A connection to an SQLite database. One thread at a time.
final class Database {
  static var libraryVersion: String { String(cString: sqlite3_libversion()) }

  let path: String
  private let handle: OpaquePointer

  /// Opens a file, which is made where it is missing; `nil` for a database in memory.
  init(_ path: String?) throws(DatabaseError) {
    self.path = path ?? "index in memory"
    var opened: OpaquePointer?
    let code = sqlite3_open_v2(path ?? ":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil)
    guard let opened else { throw DatabaseError(path: self.path, code: code, message: "out of memory") }
    guard code == SQLITE_OK else {
      let message = String(cString: sqlite3_errmsg(opened))
      sqlite3_close_v2(opened)
      throw DatabaseError(path: self.path, code: code, message: message)
    }
    handle = opened
    // Another process may be bringing the same index up to date.
    sqlite3_busy_timeout(opened, 10_000)
  }

  deinit { sqlite3_close_v2(handle) }

  /// Runs statements that have no results.
  func execute(_ sql: String) throws(DatabaseError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error }
  }

  func prepare(_ sql: String) throws(DatabaseError) -> Statement {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, let statement else { throw error }
    return Statement(statement, of: self)
  }

  /// All of the changes, or none. Other writers are kept out from the start.
  func transaction<R>(_ body: () throws -> R) throws -> R {
    try execute("BEGIN IMMEDIATE")
    do {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      try? execute("ROLLBACK")
      throw error
    }
  }

  var lastInsertedRow: Int { Int(sqlite3_last_insert_rowid(handle)) }

  fileprivate var error: DatabaseError {
    DatabaseError(path: path, code: sqlite3_errcode(handle), message: String(cString: sqlite3_errmsg(handle)))
  }
}

/// A prepared statement. Values are bound by position, from 1; columns are read by position, from 0.
final class Statement {
  /// What a column or a parameter holds.
  enum Value {
    case null, int(Int), double(Double), text(String)
    init(_ value: Int?) { self = value.map { .int($0) } ?? .null }
    init(_ value: String?) { self = value.map { .text($0) } ?? .null }
  }

  private let handle: OpaquePointer
  private let database: Database

  fileprivate init(_ handle: OpaquePointer, of database: Database) {
    self.handle = handle
    self.database = database
  }

  deinit { sqlite3_finalize(handle) }

  /// Runs the statement anew with these values, to its end.
  func run(_ values: Value...) throws(DatabaseError) {
    try bind(values)
    while try step() {}
  }

  /// Starts anew with these values; `step` then gives the rows.
  func bind(_ values: [Value]) throws(DatabaseError) {
    sqlite3_reset(handle)
    for (index, value) in values.enumerated() {
      let place = Int32(index + 1)
      let code =
        switch value {
        case .null: sqlite3_bind_null(handle, place)
        case .int(let value): sqlite3_bind_int64(handle, place, Int64(value))
        // SQLite has no NaN: it would become NULL. The words are those of JSON.
        case .double(let value) where value.isNaN: bind("NaN", place)
        case .double(let value): sqlite3_bind_double(handle, place, value)
        case .text(let value): bind(value, place)
        }
      guard code == SQLITE_OK else { throw database.error }
    }
  }

  private func bind(_ text: String, _ place: Int32) -> Int32 {
    // SQLITE_TRANSIENT: SQLite makes a copy.
    sqlite3_bind_text(handle, place, text, Int32(text.utf8.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
  }

  /// Goes to the next row; false after the last one.
  func step() throws(DatabaseError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE:
      sqlite3_reset(handle)
      return false
    default: throw database.error
    }
  }

  func int(_ column: Int) -> Int { Int(sqlite3_column_int64(handle, Int32(column))) }
  func isNull(_ column: Int) -> Bool { sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL }
  func text(_ column: Int) -> String? {
    sqlite3_column_text(handle, Int32(column)).map { String(cString: $0) }
  }
  func double(_ column: Int) -> Double? {
    switch sqlite3_column_type(handle, Int32(column)) {
    case SQLITE_NULL: nil
    case SQLITE_TEXT: .nan
    default: sqlite3_column_double(handle, Int32(column))
    }
  }
}
