package import Foundation
import Glibc
import Support

/// Reading and writing files with errors that name the file.
package enum RunFiles {
  /// - Returns: `nil` if there is no such file.
  package static func read(_ path: String) throws(RunStoreError) -> Data? {
    guard exists(path) else { return nil }
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .unreadable(path: path, reason: String(cString: strerror(errno))) }
    do {
      return try FileHandle(fileDescriptor: file, closeOnDealloc: true).readToEnd() ?? Data()
    } catch {
      throw .unreadable(path: path, reason: isDirectory(path) ? "it is a folder" : "reading failed")
    }
  }

  /// Writes the whole file or leaves what was there.
  ///
  /// - Parameter followingLink: Whether a symbolic link is followed. In a folder that may come from somebody else it must not be: the
  ///   link could name any file of the user.
  package static func replace(_ path: String, with data: Data, followingLink: Bool = true) throws(RunStoreError) {
    if !followingLink, isLink(path) { unlink(path) }
    do {
      try AtomicFile.write(data, to: path)
    } catch {
      throw failure(writing: path, code: error.code)
    }
  }

  /// Writes a file into a folder that nobody sees yet: without the care that a file under its final name needs.
  static func writeNew(_ path: String, _ data: Data) throws(RunStoreError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure(writing: path, code: errno) }
    defer { close(file) }
    var done = 0
    while done < data.count {
      let count = data.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + done }, data.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure(writing: path, code: count == 0 ? ENOSPC : errno) }
      done += count
    }
  }

  /// Makes the directory and those above it.
  static func makeDirectory(_ path: String) throws(RunStoreError) {
    if exists(path), !isDirectory(path) { throw .notADirectory(path: path) }
    do {
      try AtomicFile.createDirectory(path)
    } catch {
      throw failure(writing: path, code: error.code)
    }
  }

  /// Removes the temporary files that killed processes left in a folder. Nobody else may be writing there.
  /// - Parameter prefix: what their names begin with.
  static func removeTemporaryFiles(in folder: String, prefix: String = ".") {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasPrefix(prefix) && name.hasSuffix(".tmp")
    {
      try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }

  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// The error for a system call on `path` that failed with `code`.
  static func failure(writing path: String, code: Int32) -> RunStoreError {
    if code == ENOSPC || code == EDQUOT { return .diskFull(path: path) }
    return .unwritable(path: path, reason: String(cString: strerror(code)))
  }
}
