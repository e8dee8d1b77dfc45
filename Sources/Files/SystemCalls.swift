import Foundation

/// Repeats a system call as long as signals interrupt it. Gives the call's result; `errno` is that of the last attempt.
package func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
  var result = call()
  while result < 0, errno == EINTR { result = call() }
  return result
}

/// Writes all bytes to a descriptor.
/// - Parameters:
///   - path: The file's final name, for messages.
///   - offset: Where they go; nil writes on from the descriptor's place.
///   - isAll: Whether nothing else of the file is to come, so that an error can say how much room it needs.
func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int? = nil, path: String, isAll: Bool = true
) throws(FileError) {
  var done = 0
  while done < bytes.count {
    let start = bytes.baseAddress.map { $0 + done }
    let count = retrying {
      if let offset {
        pwrite(descriptor, start, bytes.count - done, off_t(offset + done))
      } else {
        write(descriptor, start, bytes.count - done)
      }
    }
    guard count > 0 else {
      throw FileError(.write, path, code: count == 0 ? ENOSPC : errno, needed: isAll ? bytes.count - done : nil)
    }
    done += count
  }
}

extension ContiguousBytes {
  /// `withUnsafeBytes` for closures that throw a `FileError`, whose type the standard one loses.
  func withFileBytes<R>(_ body: (UnsafeRawBufferPointer) throws(FileError) -> R) throws(FileError) -> R {
    try withUnsafeBytes { bytes in Result { () throws(FileError) in try body(bytes) } }.get()
  }
}
