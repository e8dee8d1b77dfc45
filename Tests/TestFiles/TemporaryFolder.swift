public import Foundation

/// A new folder that is removed when the last reference to it goes.
public final class TemporaryFolder {
  public let path: String

  public init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("antidote-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a name in the folder.
  public func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, with the folders that lead to it. Returns its path.
  @discardableResult
  public func write(_ name: String, _ data: Data) throws -> String {
    let file = URL(fileURLWithPath: path(name))
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return path(name)
  }
  @discardableResult
  public func write(_ name: String, _ bytes: [UInt8]) throws -> String { try write(name, Data(bytes)) }
  @discardableResult
  public func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  public func read(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }
  public func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }
  /// The names in the folder, hidden ones too, sorted.
  public func entries() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Runs `body` with the path of a new folder, and removes it afterwards.
public func withTemporaryFolder<R>(_ body: (_ path: String) throws -> R) throws -> R {
  let folder = try TemporaryFolder()
  return try withExtendedLifetime(folder) { try body(folder.path) }
}

/// As above, for `body` that waits.
public func withTemporaryFolder<R>(_ body: (_ path: String) async throws -> R) async throws -> R {
  let folder = try TemporaryFolder()
  defer { withExtendedLifetime(folder) {} }
  return try await body(folder.path)
}
