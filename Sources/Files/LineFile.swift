import Foundation

/// Text files that grow by whole lines, of which a killed process may leave a torn last one. One writer at a time.
public enum LineFile {
  /// Adds a line at the end, after it has removed a torn one, and forces it to the disk. The file is made where it is
  /// missing.
  ///
  /// - Parameters:
  ///   - line: The text, without its newline.
  ///   - isWhole: Whether a last line that lacks its newline is complete all the same.
  /// - Throws: `FileError`; the file then has its whole lines, and no torn one. Where the disk alone fails, the line may
  ///   be there.
  public static func append(_ line: String, to path: String, isWhole: ([UInt8]) -> Bool) throws(FileError) {
    let file = retrying { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666) }
    guard file >= 0 else { throw FileError(.write, path) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw FileError(.write, path) }
    guard status.st_mode & S_IFMT != S_IFIFO else { throw FileError(.write, path, .notAFile) }
    let size = Int(status.st_size)
    let tail = try lastLine(file, size, path)
    let keepsTail = tail.isEmpty || isWhole(tail)
    let end = keepsTail ? size : size - tail.count
    guard end == size || ftruncate(file, off_t(end)) == 0 else { throw FileError(.write, path) }
    do throws(FileError) {
      let text = (keepsTail && !tail.isEmpty ? "\n" : "") + line + "\n"
      try Array(text.utf8).withFileBytes { bytes throws(FileError) in try writeAll(bytes, to: file, at: end, path: path)
      }
    } catch {
      _ = ftruncate(file, off_t(end))
      throw error
    }
    guard fsync(file) == 0 || errno == EINVAL else { throw FileError(.write, path) }
  }

  /// What follows the last newline.
  private static func lastLine(_ file: Int32, _ size: Int, _ path: String) throws(FileError) -> [UInt8] {
    var tail: [UInt8] = []
    var start = max(size, 0)
    while start > 0 {
      var piece = [UInt8](repeating: 0, count: min(start, 4096))
      start -= piece.count
      guard retrying({ pread(file, &piece, piece.count, off_t(start)) }) == piece.count else {
        throw FileError(.read, path)
      }
      if let newline = piece.lastIndex(of: UInt8(ascii: "\n")) { return piece[(newline + 1)...] + tail }
      tail = piece + tail
    }
    return tail
  }
}
