import Files
public import Foundation

/// `cells/<id>.json`: how the processes of a cell ended that has no finished record.
public struct CellFailure: Codable, Sendable, Hashable {
  /// The cell's id.
  public var id: String
  /// Why the last process failed.
  public var reason: String
  /// How many processes failed.
  public var failures: Int
  /// Wall-clock seconds of the last process.
  public var seconds: Double
  /// When it ended.
  public var date: Date
  /// Where it worked: `host:process`.
  public var worker: String

  static func path(in folder: String, id: String) -> String { Path.join(folder, Grid.cellsName, "\(id).json") }

  /// What is known of a cell; nil where no process of it failed.
  /// - Throws: `GridError` for a damaged file, `FileError`.
  static func read(in folder: String, id: String) throws -> CellFailure? {
    let path = path(in: folder, id: id)
    guard let bytes = try FileSystem.readIfPresent(path) else { return nil }
    do {
      return try JSONValue(json: bytes).decode()
    } catch {
      throw GridError.damaged(path: path, reason: "\(error)")
    }
  }

  /// - Throws: `FileError`.
  func write(in folder: String) throws {
    try AtomicFile.write(try JSONValue(encoding: self).prettyJSON + "\n", to: Self.path(in: folder, id: id))
  }
}
