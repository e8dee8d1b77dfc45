public import Foundation

/// Files that appear complete or not at all.
///
/// The content goes to a temporary file in the same folder, is forced to the disk, and takes the final name in one
/// step. Whatever fails on the way, and wherever the process is killed, the final name holds its old content or its new
/// one. What a killed process leaves, `FileSystem.removeLeftovers` removes.
public enum AtomicFile {
  /// Writes bytes as a whole.
  /// - Parameters:
  ///   - followingLink: Whether a symbolic link is followed and its target replaced. In a folder that may come from
  ///     somebody else it must not be: the link could name any file of the user.
  ///   - isDurable: Whether the file must outlast a power cut. For the many files of a folder that nobody sees yet that
  ///     is waste.
  /// - Throws: `FileError`.
  public static func write(
    _ data: some ContiguousBytes, to path: String, followingLink: Bool = true, isDurable: Bool = true
  ) throws(FileError) {
    do {
      try replace(path, followingLink: followingLink, isDurable: isDurable) { item in
        try data.withFileBytes { bytes throws(FileError) in try writeAll(bytes, to: item.descriptor, path: path) }
      }
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError(.write, path, code: EIO)
    }
  }

  /// Writes text as a whole, in UTF-8.
  /// - Throws: `FileError`.
  public static func write(_ text: String, to path: String, followingLink: Bool = true) throws(FileError) {
    try write(Array(text.utf8), to: path, followingLink: followingLink)
  }

  /// Writes text as a new file: whole, and only where nothing has the name, which one process of all that try at the
  /// same time succeeds in, on network file systems too.
  /// - Returns: Whether this call made the file; false where the name was taken.
  /// - Throws: `FileError`.
  public static func create(_ text: String, at path: String) throws(FileError) -> Bool {
    let item = try TemporaryItem(for: path)
    defer { item.discard() }
    try Array(text.utf8).withFileBytes { bytes throws(FileError) in
      try writeAll(bytes, to: item.descriptor, path: path)
    }
    guard fsync(item.descriptor) == 0 else { throw FileError(.write, path) }
    let code = link(item.path, path) == 0 ? 0 : errno
    // A network file system may lose the answer to a request that it carried out: the count of names tells.
    var status = stat()
    if code == 0 || (fstat(item.descriptor, &status) == 0 && status.st_nlink > 1) { return true }
    if code == EEXIST { return false }
    guard [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(code) else { throw FileError(.write, path, code: code) }
    return try createWithoutLinks(text, at: path)
  }

  /// The same where the file system has no hard links: others may see the file before it is whole.
  private static func createWithoutLinks(_ text: String, at path: String) throws(FileError) -> Bool {
    let file = retrying { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard file >= 0 else {
      if errno == EEXIST { return false }
      throw FileError(.write, path)
    }
    defer { close(file) }
    do throws(FileError) {
      try Array(text.utf8).withFileBytes { bytes throws(FileError) in try writeAll(bytes, to: file, path: path) }
    } catch {
      unlink(path)
      throw error
    }
    return true
  }

  /// Writes a file piece by piece.
  /// - Parameter body: Writes the content; the file is complete when it returns, and discarded when it throws.
  /// - Throws: `FileError`, and what `body` throws.
  public static func write<R>(to path: String, streaming body: (Writer) throws -> R) throws -> R {
    try replace(path) { item in
      let writer = Writer(item.descriptor, path: path)
      defer { writer.finish() }
      return try body(writer)
    }
  }

  /// Writes a file through code that opens files by name, such as a library.
  /// - Parameter body: Gets the path of an empty temporary file in the same folder and fills it in place.
  /// - Throws: `FileError`, and what `body` throws.
  public static func write<R>(to path: String, using body: (_ temporaryPath: String) throws -> R) throws -> R {
    try replace(path) { item in try body(item.path) }
  }

  private static func replace<R>(
    _ path: String, followingLink: Bool = true, isDurable: Bool = true, _ body: (TemporaryItem) throws -> R
  ) throws -> R {
    guard !path.isEmpty else { throw FileError(.write, path, code: EINVAL) }
    let target = followingLink ? resolvingLink(path) : path
    guard !FileSystem.isFolder(target) || FileSystem.isLink(target), !target.hasSuffix("/") else {
      throw FileError(.write, path, code: EISDIR)
    }
    let item = try TemporaryItem(for: target)
    do {
      let result = try body(item)
      // A full disk may show only here, where the file system delays its allocation.
      guard !isDurable || fsync(item.descriptor) == 0 else { throw FileError(.write, path) }
      try item.publish(as: target)
      if isDurable { synchronizeFolder(Path.parent(target)) }
      return result
    } catch {
      item.discard()
      throw error
    }
  }

  private static func resolvingLink(_ path: String) -> String {
    guard FileSystem.isLink(path), let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Makes the rename last through a power cut. The file is in place already, and some file systems cannot do this: no
  /// error.
  private static func synchronizeFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}

extension AtomicFile {
  /// Takes the pieces of a file in order. Valid only inside the closure that received it.
  public final class Writer {
    private var descriptor: Int32?
    private let path: String
    /// The bytes written so far.
    public private(set) var count = 0

    /// - Parameter path: The final name, for messages.
    init(_ descriptor: Int32, path: String) {
      self.descriptor = descriptor
      self.path = path
    }

    func finish() { descriptor = nil }

    /// Appends bytes.
    /// - Throws: `FileError`.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
      guard let descriptor else { preconditionFailure("AtomicFile.Writer is used after its closure has returned.") }
      try writeAll(bytes, to: descriptor, path: path, isAll: false)
      count += bytes.count
    }

    /// Appends bytes.
    /// - Throws: `FileError`.
    public func write(_ data: some ContiguousBytes) throws(FileError) {
      try data.withFileBytes { bytes throws(FileError) in try write(bytes) }
    }

    /// Appends text in UTF-8.
    /// - Throws: `FileError`.
    public func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }
  }
}
