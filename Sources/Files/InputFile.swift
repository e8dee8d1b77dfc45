import Foundation

/// A regular file, open for reading. Reads go straight into the memory that wants the bytes.
public struct InputFile: ~Copyable {
  public let path: String
  /// Bytes, when it was opened.
  public let size: Int
  private let descriptor: Int32

  /// Opens a file. A pipe or a device is refused at once: it could block, or have no end.
  /// - Parameter limit: The most bytes that the file may have.
  /// - Throws: `FileError`.
  public init(_ path: String, limit: Int = .max) throws(FileError) {
    // Without O_NONBLOCK a named pipe would wait for its writer; regular files do not know the difference.
    let opened = retrying { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    // A socket cannot be opened at all.
    guard opened >= 0 else {
      throw errno == ENXIO ? FileError(.read, path, .notAFile, code: errno) : FileError(.read, path)
    }
    do throws(FileError) {
      let found = try Self.size(opened, path)
      guard found <= limit else { throw FileError(.read, path, .overLimit(size: found, limit: limit)) }
      self.init(path: path, size: found, descriptor: opened)
    } catch {
      close(opened)
      throw error
    }
  }
  private init(path: String, size: Int, descriptor: Int32) {
    self.path = path
    self.size = size
    self.descriptor = descriptor
  }
  deinit { close(descriptor) }

  private static func size(_ descriptor: Int32, _ path: String) throws(FileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError(.read, path) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return Int(status.st_size)
    case S_IFDIR: throw FileError(.read, path, .isDirectory, code: EISDIR)
    default: throw FileError(.read, path, .notAFile)
    }
  }

  /// Fills the buffer from the given place on.
  /// - Throws: `FileError`, also where the file ends early.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    guard try readSome(into: buffer, at: offset) == buffer.count else { throw FileError(.read, path, .shortened) }
  }

  /// The bytes from the given place on.
  /// - Throws: `FileError`, also where the file ends early.
  public func read(_ count: Int, at offset: Int) throws(FileError) -> [UInt8] {
    let bytes = try readUpTo(count, at: offset)
    guard bytes.count == count else { throw FileError(.read, path, .shortened) }
    return bytes
  }

  /// At most so many bytes: fewer where the file ends.
  func readUpTo(_ count: Int, at offset: Int) throws(FileError) -> [UInt8] {
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(FileError) { filled = try readSome(into: UnsafeMutableRawBufferPointer(buffer), at: offset) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Fills as much of the buffer as the file has bytes.
  private func readSome(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = retrying {
        pread(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      }
      guard count >= 0 else { throw FileError(.read, path) }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Hands the whole file over piece by piece, a megabyte at a time.
  /// - Throws: `FileError`.
  public func forEachPiece(_ body: ([UInt8]) -> Void) throws(FileError) {
    var offset = 0
    while true {
      let piece = try readUpTo(1 << 20, at: offset)
      if piece.isEmpty { return }
      offset += piece.count
      body(piece)
    }
  }
}
