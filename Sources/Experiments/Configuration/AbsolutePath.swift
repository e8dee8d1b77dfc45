import Foundation

/// Paths that mean the same wherever a program is started.
enum AbsolutePath {
  /// The path with links and dots resolved as far as it exists.
  static func of(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
}
