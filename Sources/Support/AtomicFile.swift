public import Foundation

/// Files that appear complete or not at all.
///
/// The content goes to a temporary file in the same folder, is forced to the disk, and takes the final name in one step. Whatever
/// fails on the way, and wherever the process is killed, the final name holds its old content or its new one. A symbolic link is
/// followed: its target is replaced.
public enum AtomicFile {
  /// Writes data as a whole.
  /// - Throws: `FileError`.
  public static func write(_ data: Data, to path: String) throws(FileError) {
    do {
      try write(to: path, streaming: { writer in try writer.write(data) })
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError(.write, path, code: EIO)
    }
  }

  /// Writes text as a whole, in UTF-8.
  /// - Throws: `FileError`.
  public static func write(_ text: String, to path: String) throws(FileError) { try write(Data(text.utf8), to: path) }

  /// Writes a file piece by piece.
  /// - Parameter body: Writes the content; the file is complete when it returns, and discarded when it throws.
  /// - Throws: `FileError`, and what `body` throws.
  public static func write<R>(to path: String, streaming body: (Writer) throws -> R) throws -> R {
    try write(to: path) { temporary in
      let writer = try Writer(temporary: temporary, path: path)
      defer { writer.close() }
      return try body(writer)
    }
  }

  /// Writes a file through code that opens files by name, such as a library.
  /// - Parameter body: Gets the path of an empty temporary file in the same folder and fills it; it may also replace it.
  /// - Throws: `FileError`, and what `body` throws.
  public static func write<R>(to path: String, using body: (_ temporaryPath: String) throws -> R) throws -> R {
    guard !path.isEmpty else { throw FileError(.write, path, code: EINVAL) }
    let target = resolvingLink(path)
    guard !isDirectory(target), !target.hasSuffix("/") else { throw FileError(.write, path, code: EISDIR) }
    let folder = parent(of: target)
    let temporary = (folder == "/" ? "/" : folder + "/") + temporaryName()
    // 0666 less the umask, as any other new file.
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(.write, path) }
    close(descriptor)
    do {
      let result = try body(temporary)
      try synchronize(temporary, path: path)
      guard rename(temporary, target) == 0 else { throw FileError(.write, path) }
      synchronizeFolder(folder)
      return result
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Creates a folder and those above it; nothing happens where it exists.
  /// - Throws: `FileError`.
  public static func createDirectory(_ path: String) throws(FileError) {
    guard !path.isEmpty else { throw FileError(.createDirectory, path, code: EINVAL) }
    for folder in FileError.parents(of: path) + [path] where !isDirectory(folder) {
      // Another process may create it at the same time.
      if mkdir(folder, 0o777) != 0 {
        let code = errno
        if !(code == EEXIST && isDirectory(folder)) { throw FileError(.createDirectory, path, code: code) }
      }
    }
  }

  /// The bytes that the user may still write to the file system of `path`, or of the nearest folder above it that exists.
  /// - Throws: `FileError`.
  public static func freeSpace(_ path: String) throws(FileError) -> Int {
    var place = path.isEmpty ? "." : path
    var information = statvfs()
    while statvfs(place, &information) != 0 {
      let above = parent(of: place)
      guard errno == ENOENT, above != place else { throw FileError(.read, path) }
      place = above
    }
    return Int(clamping: UInt64(information.f_bavail) * UInt64(information.f_frsize))
  }

  /// Removes temporary files that killed processes left in a folder.
  /// - Parameter age: Seconds since the last change; younger ones may still be in use.
  /// - Returns: How many were removed.
  @discardableResult
  public static func removeLeftovers(in folder: String, olderThan age: Double = 3600) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var removed = 0
    for name in names where name.hasPrefix(temporaryPrefix) && name.hasSuffix(temporarySuffix) {
      let path = folder + "/" + name
      var information = stat()
      guard lstat(path, &information) == 0, Double(time(nil) - information.st_mtim.tv_sec) >= age, unlink(path) == 0 else { continue }
      removed += 1
    }
    return removed
  }

  // MARK: Parts

  static let temporaryPrefix = ".antidote-"
  static let temporarySuffix = ".tmp"

  static func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }

  private static func temporaryName() -> String {
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    return "\(temporaryPrefix)\(getpid())-\(random)\(temporarySuffix)"
  }

  /// The folder that holds `path`; `.` for a bare name, `/` for the root.
  static func parent(of path: String) -> String {
    let trimmed = path.count > 1 && path.hasSuffix("/") ? path.dropLast() : path[...]
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  private static func resolvingLink(_ path: String) -> String {
    var information = stat()
    guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func synchronize(_ temporary: String, path: String) throws(FileError) {
    let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(.write, path) }
    defer { close(descriptor) }
    // A full disk may show only here, where the file system delays its allocation.
    guard fsync(descriptor) == 0 else { throw FileError(.write, path) }
  }

  /// Makes the rename last through a power cut. The file is in place already, and some file systems cannot do this: no error.
  private static func synchronizeFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
