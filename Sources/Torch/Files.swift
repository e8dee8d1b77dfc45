import Foundation

/// Why a file could not be read or written, in the system's words.
struct FileError: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
  /// The system's words for the last failing call, and the mend where there is one.
  static func system(_ action: String) -> FileError {
    let mend =
      switch errno {
      case ENOSPC, EDQUOT: ". Free some space, or choose another folder"
      case EFBIG: ": it would exceed the largest size allowed (ulimit -f). Raise the limit, or use another file system"
      case EACCES, EPERM: ". Change its permissions (chmod), or choose another folder"
      case EROFS: ". Choose another folder"
      case ENOENT: ". Check the path"
      default: ""
      }
    return FileError("\(action): \(String(cString: strerror(errno)))\(mend)")
  }
}

/// A regular file, open for reading. Reads go straight into the memory that wants the bytes.
struct InputFile: ~Copyable {
  let size: Int
  private let descriptor: Int32

  init(_ path: String) throws(FileError) {
    // A named pipe would block without O_NONBLOCK, which changes nothing for regular files.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system("cannot be opened") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = FileError.system("cannot be examined")
      close(descriptor)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileError("is not a regular file. Give the path of the file itself")
    }
    size = Int(status.st_size)
  }
  deinit { close(descriptor) }

  /// Fills the buffer from the given place on.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be read")
      }
      guard count > 0 else { throw FileError("became shorter while it was read") }
      done += count
    }
  }

  func read(_ count: Int, at offset: Int) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: FileError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(FileError) { try read(into: buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// A new tensor of the file's bytes from the given place on.
  func read(_ shape: Shape, _ dtype: DType, at offset: Int) throws(FileError) -> Tensor {
    let tensor = Tensor.empty(shape, dtype: dtype)
    var failure: FileError?
    tensor.withMutableBytes { buffer in
      do throws(FileError) { try read(into: buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
    return tensor
  }
}

/// A file that appears under its name only when it is complete: readers see the old content or the new, never a part.
struct OutputFile: ~Copyable {
  private let descriptor: Int32
  private let path: String
  private let temporary: String

  /// Opens a temporary file in the same folder.
  private init(_ path: String) throws(FileError) {
    self.path = path
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    temporary = "\(path[..<slash]).\(path[slash...]).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).tmp"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system("cannot be written in its folder") }
  }
  deinit { close(descriptor) }

  /// Writes what `body` gives, and puts the file in its place; leaves nothing behind when that fails.
  static func create(_ path: String, _ body: (borrowing OutputFile) throws(FileError) -> Void) throws(FileError) {
    let file = try OutputFile(path)
    do throws(FileError) {
      try body(file)
      guard fsync(file.descriptor) == 0 else { throw .system("cannot be written") }
      guard rename(file.temporary, path) == 0 else { throw .system("cannot be put in its place") }
    } catch {
      unlink(file.temporary)
      throw error
    }
  }

  func append(_ buffer: UnsafeRawBufferPointer) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let count = write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw .system("cannot be written")
      }
      done += count
    }
  }

  func append(_ bytes: [UInt8]) throws(FileError) {
    var failure: FileError?
    bytes.withUnsafeBytes { buffer in
      do throws(FileError) { try append(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// The tensor's elements in row-major order.
  func append(_ tensor: Tensor) throws(FileError) {
    var failure: FileError?
    tensor.withBytes { buffer in
      do throws(FileError) { try append(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
