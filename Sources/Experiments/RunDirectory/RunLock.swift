import Files
import Glibc
import Synchronization

/// An advisory lock that keeps two processes from working in one run directory.
///
/// The kernel drops it when the process ends, however it ends, so a killed run leaves nothing to clean up. The file
/// stays: removing it would let two processes hold locks on two files of one name.
final class RunLock: Sendable {
  /// Whether the file system granted a lock; some network file systems have none, and then nothing is protected.
  let isHeld: Bool
  private let descriptor: Mutex<Int32>

  /// Takes the lock at once or throws.
  ///
  /// - Throws: ``RunStoreError/locked(directory:process:)`` if another process (or another claim in this one) holds it,
  ///   `FileError` if the lock file cannot be made.
  init(path: String, directory: String) throws {
    // A folder may come from somebody else: the number must not go into another file of the user's.
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
    guard file >= 0 else {
      if errno == ELOOP { throw RunStoreError.holdsOtherFiles(directory: directory, example: Path.name(path)) }
      throw FileError(.write, path)
    }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink <= 1 else {
      close(file)
      throw RunStoreError.holdsOtherFiles(directory: directory, example: Path.name(path))
    }
    let code = retrying { flock(file, LOCK_EX | LOCK_NB) } == 0 ? 0 : errno
    if code == EWOULDBLOCK {
      let owner = Self.owner(file)
      close(file)
      throw RunStoreError.locked(directory: directory, process: owner)
    }
    isHeld = code == 0
    if isHeld {
      // The number helps people only; that it may be missing or stale does no harm.
      let text = "\(getpid())\n"
      if ftruncate(file, 0) == 0 { _ = pwrite(file, text, text.utf8.count, 0) }
    }
    descriptor = Mutex(file)
  }

  deinit { release() }

  func release() {
    descriptor.withLock { file in
      // Closing alone is not enough while a process that is being started still holds a copy of the descriptor.
      if file >= 0 {
        flock(file, LOCK_UN)
        close(file)
      }
      file = -1
    }
  }

  var isReleased: Bool {
    descriptor.withLock { $0 < 0 }
  }

  private static func owner(_ file: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = pread(file, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }
}
