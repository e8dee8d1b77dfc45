#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Whole files into memory, folders into sorted names. Plain POSIX calls: a folder of 100,000 small images is read
/// through here, one allocation a file.
enum FileAccess {
  enum Kind { case file, folder, none }

  static func kind(_ path: String) -> Kind {
    var info = stat()
    guard stat(path, &info) == 0 else { return .none }
    return info.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  static func isFile(_ path: String) -> Bool { kind(path) == .file }
  static func isFolder(_ path: String) -> Bool { kind(path) == .folder }

  static func size(_ path: String) throws -> Int {
    var info = stat()
    guard stat(path, &info) == 0 else { throw failure(path) }
    return Int(info.st_size)
  }

  /// The bytes of a file. Throws `DataError.missing` (with a suggestion) or `.unreadable`.
  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw failure(path) }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw DataError.unreadable(path: path, reason: "not a regular file")
    }
    let count = Int(info.st_size)
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count, let base = buffer.baseAddress {
        #if canImport(Darwin)
          let got = Darwin.read(descriptor, base + filled, count - filled)
        #elseif canImport(Musl)
          let got = Musl.read(descriptor, base + filled, count - filled)
        #else
          let got = Glibc.read(descriptor, base + filled, count - filled)
        #endif
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { throw failure(path) }
        if got == 0 { break }
        filled += got
      }
    }
  }

  /// The file as text. Throws as `read`, and `DataError.malformed` where it is not UTF-8.
  static func readText(_ path: String) throws -> String {
    guard let text = String(validating: try read(path), as: UTF8.self) else {
      throw DataError.malformed(path: path, problem: "not a text file in UTF-8", mend: DataError.copyAgain)
    }
    return text
  }

  /// Lines without their ends and without surrounding blanks; empty lines are dropped.
  static func readLines(_ path: String) throws -> [String] {
    try readText(path).split(whereSeparator: \.isNewline).map { $0.trimmedBlanks }.filter { !$0.isEmpty }
  }

  /// Names in a folder, sorted by their bytes (as Python sorts them), without hidden ones.
  static func list(_ folder: String) throws -> [String] {
    guard let handle = opendir(folder) else { throw failure(folder) }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  static func subfolders(_ folder: String) throws -> [String] {
    try list(folder).filter { isFolder(join(folder, $0)) }
  }

  static func join(_ parts: String...) -> String {
    parts.filter { !$0.isEmpty }.reduce("") { $0.isEmpty || $0.hasSuffix("/") ? $0 + $1 : $0 + "/" + $1 }
  }

  static func parent(_ path: String) -> String {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  static func name(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  private static func failure(_ path: String) -> DataError {
    let code = errno
    guard code == ENOENT || code == ENOTDIR else {
      return .unreadable(path: path, reason: String(cString: strerror(code)))
    }
    return .missing(path: path, lookedFor: [], suggestion: PathSuggestion.similar(to: path))
  }
}

extension StringProtocol {
  var trimmedBlanks: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text = text.dropFirst() }
    while let last = text.last, last.isWhitespace { text = text.dropLast() }
    return String(text)
  }
}
