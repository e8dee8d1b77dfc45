import Foundation
import Glibc

/// `metrics.jsonl`: one JSON object a line, one line an epoch.
///
/// A process that is killed while it writes leaves a torn last line. Reading passes over it and the next append removes it; any
/// other line that is not an entry is an error. One writer at a time, which the lock of ``RunDirectory`` sees to.
public struct MetricsLog: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// The entries, in the order in which they were written; none if there is no file.
  ///
  /// - Throws: ``RunStoreError/damagedLine(path:line:reason:)`` with the number of the first line, counted from 1, that is not an
  ///   entry; ``RunStoreError/unreadable(path:reason:)``.
  public func read() throws(RunStoreError) -> [MetricsEntry] {
    guard let data = try RunFiles.read(path) else { return [] }
    let decoder = JSONDecoder.forRuns
    let lines = data.split(separator: Self.newline, omittingEmptySubsequences: false)
    var entries: [MetricsEntry] = []
    entries.reserveCapacity(lines.count)
    for (index, line) in lines.enumerated() {
      // What follows the last newline is empty in a whole file, and otherwise torn unless it is an entry all the same.
      let isTail = index == lines.count - 1
      if isTail && line.isEmpty { break }
      do {
        entries.append(try decoder.decode(MetricsEntry.self, from: Data(line)))
      } catch {
        if isTail { break }
        throw .damagedLine(path: path, line: index + 1, reason: describeDecoding(error))
      }
    }
    return entries
  }

  /// Adds a line at the end, after it has removed a torn one.
  ///
  /// - Throws: ``RunStoreError/diskFull(path:)`` or ``RunStoreError/unwritable(path:reason:)``; the file is then as it was.
  public func append(_ entry: MetricsEntry) throws(RunStoreError) {
    let line = try encoded(entry)
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw RunFiles.failure(writing: path, code: errno) }
    defer { close(file) }
    let (end, needsNewline) = try wholeLength(file)
    guard ftruncate(file, end) == 0 || errno == EINVAL else { throw RunFiles.failure(writing: path, code: errno) }

    let bytes = [UInt8](needsNewline ? Data([Self.newline]) + line : line)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, end + off_t(written)) }
      if count > 0 {
        written += count
      } else if count == 0 || errno != EINTR {
        let code = count == 0 ? ENOSPC : errno
        _ = ftruncate(file, end)
        throw RunFiles.failure(writing: path, code: code)
      }
    }
    // On disk before the checkpoint of the same epoch is.
    guard fdatasync(file) == 0 || errno == EINVAL else { throw RunFiles.failure(writing: path, code: errno) }
  }

  /// Drops the lines of a stage past an epoch, and a torn last line: what a resumed run is about to write again. Lines of other
  /// stages stay. The file is replaced in one step.
  ///
  /// - Parameters:
  ///   - epoch: The last epoch to keep; 0 drops all but what was measured before the first.
  ///   - stage: The stage that is resumed.
  /// - Throws: What ``read()`` throws, and ``RunStoreError/diskFull(path:)`` or ``RunStoreError/unwritable(path:reason:)``.
  public func drop(after epoch: Int, of stage: String) throws(RunStoreError) {
    guard RunFiles.exists(path) else { return }
    var text = Data()
    for entry in try read() where entry.stage != stage || entry.epoch <= epoch {
      text += try encoded(entry)
    }
    try RunFiles.replace(path, with: text)
  }

  private static let newline = UInt8(ascii: "\n")

  private func encoded(_ entry: MetricsEntry) throws(RunStoreError) -> Data {
    let encoder = JSONEncoder.forRuns
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return try encoder.encode(entry) + Data([Self.newline])
    } catch {
      throw .unwritable(path: path, reason: "the entry cannot be encoded (\(error))")
    }
  }

  /// How many bytes of the file are whole lines, and whether the last of them still lacks its newline.
  private func wholeLength(_ file: Int32) throws(RunStoreError) -> (end: off_t, needsNewline: Bool) {
    let size = lseek(file, 0, SEEK_END)
    guard size > 0 else { return (0, false) }
    var tail: [UInt8] = []
    var start = size
    while start > 0 {
      let count = min(start, 4096)
      var chunk = [UInt8](repeating: 0, count: Int(count))
      guard pread(file, &chunk, Int(count), start - count) == Int(count) else {
        throw .unreadable(path: path, reason: String(cString: strerror(errno)))
      }
      start -= count
      tail = chunk + tail
      if let last = tail.lastIndex(of: Self.newline) {
        tail.removeSubrange(...last)
        start += off_t(last) + 1
        break
      }
    }
    if tail.isEmpty { return (size, false) }
    let isEntry = (try? JSONDecoder.forRuns.decode(MetricsEntry.self, from: Data(tail))) != nil
    return isEntry ? (size, true) : (start, false)
  }
}
