public import Foundation

extension AtomicFile {
  /// Takes the pieces of a file in order. Valid only inside the closure that received it.
  public final class Writer {
    private var descriptor: Int32
    private let path: String
    /// The bytes written so far.
    public private(set) var count = 0

    /// - Parameter path: The final name, for messages.
    init(temporary: String, path: String) throws(FileError) {
      self.path = path
      descriptor = open(temporary, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw FileError(.write, path) }
    }

    deinit { close() }

    /// Appends bytes.
    /// - Throws: `FileError`.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
      precondition(descriptor >= 0, "AtomicFile.Writer is used after its closure has returned.")
      var rest = bytes
      while !rest.isEmpty {
        let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { throw FileError(.write, path, code: written == 0 ? ENOSPC : errno, needed: rest.count) }
        count += written
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
    }

    /// Appends data.
    /// - Throws: `FileError`.
    public func write(_ data: Data) throws(FileError) {
      // withUnsafeBytes rethrows untyped; the result carries the type across.
      let result = data.withUnsafeBytes { bytes in Result { () throws(FileError) in try write(bytes) } }
      try result.get()
    }

    /// Appends text in UTF-8.
    /// - Throws: `FileError`.
    public func write(_ text: String) throws(FileError) { try write(Data(text.utf8)) }

    func close() {
      guard descriptor >= 0 else { return }
      Foundation.close(descriptor)
      descriptor = -1
    }
  }
}
