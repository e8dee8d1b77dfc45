import Foundation
import Synchronization

/// A file that grows by whole lines: logs, metrics. Each line is handed to the system in one call, so that lines of several threads
/// or processes do not mix.
public final class AppendingFile: Sendable {
  /// Where the file is.
  public let path: String
  private let descriptor: Mutex<Int32>

  /// Opens the file for appending; creates it where it is missing.
  /// - Throws: `FileError`.
  public init(_ path: String) throws(FileError) {
    self.path = path
    let opened = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard opened >= 0 else { throw FileError(.write, path) }
    descriptor = Mutex(opened)
  }

  deinit { descriptor.withLock { _ = close($0) } }

  /// Appends a line; the newline is added.
  /// - Throws: `FileError`.
  public func append(line: String) throws(FileError) {
    let bytes = Array((line + "\n").utf8)
    let failure = descriptor.withLock { descriptor -> FileError? in
      var position = 0
      while position < bytes.count {
        let count = bytes[position...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return FileError(.write, path, code: count == 0 ? ENOSPC : errno, needed: bytes.count - position) }
        position += count
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Forces what was appended to the disk.
  /// - Throws: `FileError`.
  public func synchronize() throws(FileError) {
    let failure = descriptor.withLock { fsync($0) == 0 ? nil : FileError(.write, path) }
    if let failure { throw failure }
  }
}
