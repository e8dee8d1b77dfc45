/// Paths as text.
public enum Path {
  /// The parts with one slash between them; empty parts are left out.
  public static func join(_ parts: String...) -> String {
    parts.filter { !$0.isEmpty }.reduce("") { $0.isEmpty || $0.hasSuffix("/") ? $0 + $1 : $0 + "/" + $1 }
  }

  /// The folder that holds `path`; `.` for a bare name, `/` for the root.
  public static func parent(_ path: String) -> String {
    let trimmed = withoutFinalSlash(path)
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// The last part.
  public static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  public static func withoutFinalSlash(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// `/a`, `/a/b` for `/a/b/c`, outermost first.
  static func folders(above path: String) -> [String] {
    let parts = path.split(separator: "/")
    let root = path.hasPrefix("/") ? "/" : ""
    return parts.indices.dropFirst().map { root + parts[..<$0].joined(separator: "/") }
  }

  /// The name as a part of a file's name: what is not an ASCII letter, a digit, `_` or `-` becomes `-`.
  public static func safeName(_ name: String) -> String {
    String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "_-".contains($0)) ? $0 : "-" })
  }

  /// A neighbour of a missing path with nearly the same name. Where a folder on the way is wrong, the path through its
  /// neighbour, if that leads to something.
  public static func similar(to path: String) -> String? {
    var wanted = withoutFinalSlash(path)
    while FileSystem.kind(parent(wanted)) == nil {
      let above = parent(wanted)
      if above == wanted { return nil }
      wanted = above
    }
    let folder = parent(wanted)
    let names = ((try? FileSystem.list(folder)) ?? []).prefix(2_000)
    guard let best = Nearest.names(name(wanted), among: names, limit: 1).first, best != name(wanted) else { return nil }
    let found = folder == "." && !path.hasPrefix("./") ? best : join(folder, best)
    let rest = withoutFinalSlash(path).dropFirst(wanted.count)
    return rest.isEmpty || FileSystem.kind(found + rest) != nil ? found + rest : nil
  }
}
