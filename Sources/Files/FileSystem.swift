import Foundation

/// Whole files into memory, folders into sorted names, and what lies at a path. Plain POSIX calls: a folder of 100,000
/// small images is read through here, one allocation a file.
public enum FileSystem {
  /// What a path can lead to.
  public enum Kind: Sendable { case file, folder, other }

  /// What lies at a path, links followed; nil where there is nothing.
  public static func kind(_ path: String) -> Kind? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return switch status.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .folder
    default: .other
    }
  }

  public static func isFile(_ path: String) -> Bool { kind(path) == .file }
  public static func isFolder(_ path: String) -> Bool { kind(path) == .folder }

  /// Whether the path is a symbolic link, whatever it leads to.
  public static func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// Whether the name is taken, be it by a link that leads nowhere.
  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// Bytes of a file.
  /// - Throws: `FileError`.
  public static func size(_ path: String) throws(FileError) -> Int { try InputFile(path).size }

  // MARK: Reading

  /// The bytes of a regular file.
  /// - Parameter limit: A larger file is refused before memory is taken for it.
  /// - Throws: `FileError`.
  public static func read(_ path: String, limit: Int = FormatLimits.standard.bytes) throws(FileError) -> [UInt8] {
    let file = try InputFile(path, limit: limit)
    if file.size > 0 { return try file.read(file.size, at: 0) }
    // The kernel's own files (/proc) say that they are empty, whatever they hold.
    var bytes: [UInt8] = []
    while true {
      let piece = try file.readUpTo(1 << 16, at: bytes.count)
      if piece.isEmpty { return bytes }
      bytes += piece
      guard bytes.count <= limit else { throw FileError(.read, path, .overLimit(size: bytes.count, limit: limit)) }
    }
  }

  /// The same; nil where there is nothing of this name.
  /// - Throws: `FileError`.
  public static func readIfPresent(_ path: String, limit: Int = FormatLimits.standard.bytes) throws(FileError)
    -> [UInt8]?
  {
    exists(path) ? try read(path, limit: limit) : nil
  }

  /// The text of a file in UTF-8, without the byte order mark that some editors put before it.
  /// - Throws: `FileError`.
  public static func readText(_ path: String, limit: Int = FormatLimits.standard.bytes) throws(FileError) -> String {
    let bytes = try read(path, limit: limit)
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    guard let text = String(validating: bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...], as: UTF8.self)
    else {
      throw FileError(.read, path, .notText)
    }
    return text
  }

  /// Lines without their ends and without surrounding blanks; empty lines are dropped.
  /// - Throws: `FileError`.
  public static func readLines(_ path: String, limit: Int = FormatLimits.standard.bytes) throws(FileError) -> [String] {
    try readText(path, limit: limit).split(whereSeparator: \.isNewline).map { $0.trimmedBlanks }.filter { !$0.isEmpty }
  }

  // MARK: Folders

  /// Names in a folder, sorted by their bytes (as Python sorts them).
  /// - Parameter hidden: Whether names that begin with a point count.
  /// - Throws: `FileError`, also for a name that is not UTF-8: as text it would not lead to its file.
  public static func list(_ folder: String, hidden: Bool = false) throws(FileError) -> [String] {
    guard let handle = opendir(folder) else { throw FileError(.read, folder) }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw FileError(.read, folder, .nameNotText(escaped(utf8: bytes)))
      }
      if hidden ? name != "." && name != ".." : !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The names of the folders in a folder.
  /// - Throws: `FileError`.
  public static func subfolders(_ folder: String) throws(FileError) -> [String] {
    try list(folder).filter { isFolder(Path.join(folder, $0)) }
  }

  /// Creates a folder and those above it; nothing happens where it exists.
  /// - Throws: `FileError`.
  public static func createFolder(_ path: String) throws(FileError) {
    guard !path.isEmpty else { throw FileError(.createFolder, path, code: EINVAL) }
    for folder in Path.folders(above: path) + [path] where !isFolder(folder) {
      // Another process may create it at the same time.
      if mkdir(folder, 0o777) != 0 {
        let code = errno
        if !(code == EEXIST && isFolder(folder)) { throw FileError(.createFolder, path, code: code) }
      }
    }
  }

  /// Removes a file, a link (not what it leads to), or a folder with everything in it. Nothing happens where there is
  /// nothing.
  /// - Throws: `FileError`.
  public static func remove(_ path: String) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    if isFolder {
      for name in try list(path, hidden: true) { try remove(Path.join(path, name)) }
    }
    guard (isFolder ? rmdir(path) : unlink(path)) == 0 || errno == ENOENT else { throw FileError(.remove, path) }
  }

  /// The bytes that the user may still write to the file system of `path`, or of the nearest folder above it that
  /// exists.
  /// - Throws: `FileError`.
  public static func freeSpace(_ path: String) throws(FileError) -> Int {
    var place = path.isEmpty ? "." : path
    var information = statvfs()
    while statvfs(place, &information) != 0 {
      let above = Path.parent(place)
      guard errno == ENOENT, above != place else { throw FileError(.read, path) }
      place = above
    }
    return Int(clamping: UInt64(information.f_bavail) * UInt64(information.f_frsize))
  }
}

extension StringProtocol {
  /// The text without blanks at its ends.
  package var trimmedBlanks: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}
