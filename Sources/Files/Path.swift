import Glibc

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

  /// The path from the root, without `.` and `..`; links stay.
  public static func absolute(_ path: String) -> String {
    let parts = (path.hasPrefix("/") ? path : join(currentFolder ?? "/", path)).split(separator: "/")
    let plain = parts.reduce(into: [Substring]()) { plain, part in
      switch part {
      case ".": break
      case "..": _ = plain.popLast()
      default: plain.append(part)
      }
    }
    return "/" + plain.joined(separator: "/")
  }

  private static var currentFolder: String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The path as it is seen from a folder; both are absolute, or relative to the current folder. An absolute path stays.
  public static func relative(_ path: String, from folder: String) -> String {
    func parts(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }
    let (target, start) = (parts(path), parts(folder))
    if path.hasPrefix("/") { return path }
    if folder.hasPrefix("/") || start.contains("..") {
      return currentFolder.map { join($0, path) } ?? path
    }
    let common = zip(target.dropLast(), start).prefix { $0 == $1 }.count
    let up = Array(repeating: "..", count: start.count - common)
    return (up + target.dropFirst(common).map(String.init)).joined(separator: "/")
  }

  /// The path of a file that a table in `folder` names: absolute, or relative to that folder.
  public static func resolved(_ path: String, in folder: String) -> String {
    path.hasPrefix("/") || folder == "." ? path : join(folder, path)
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

  /// A neighbour of a missing path with nearly the same name; one that is only its beginning is none (`/home` for
  /// `/homework`). Where a folder on the way is wrong, the path through its
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
    guard let best = Nearest.names(name(wanted), among: names, limit: 1, allowsShorter: false).first,
      best != name(wanted)
    else { return nil }
    let found = folder == "." && !path.hasPrefix("./") ? best : join(folder, best)
    let rest = withoutFinalSlash(path).dropFirst(wanted.count)
    return rest.isEmpty || FileSystem.kind(found + rest) != nil ? found + rest : nil
  }
}
