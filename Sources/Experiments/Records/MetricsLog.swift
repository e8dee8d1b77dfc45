import Files

/// `metrics.jsonl`: one JSON object a line, one line an epoch.
///
/// A process that is killed while it writes leaves a torn last line. Reading passes over it and the next append removes
/// it; any other line that is not an entry is an error. One writer at a time, which the lock of ``RunDirectory`` sees
/// to.
public struct MetricsLog: Sendable {
  public let path: String

  public init(path: String) { self.path = path }

  /// The entries, in the order in which they were written; none if there is no file.
  ///
  /// - Throws: ``RunStoreError/damagedLine(path:line:reason:)`` with the number of the first line, counted from 1, that
  ///   is not an entry; `FileError`.
  public func read() throws -> [MetricsEntry] {
    guard let bytes = try FileSystem.readIfPresent(path) else { return [] }
    let lines = bytes.split(separator: Self.newline, omittingEmptySubsequences: false)
    var entries: [MetricsEntry] = []
    entries.reserveCapacity(lines.count)
    for (index, line) in lines.enumerated() {
      // What follows the last newline is empty in a whole file, and otherwise torn unless it is an entry all the same.
      let isTail = index == lines.count - 1
      if isTail && line.isEmpty { break }
      do {
        entries.append(try Self.entry(line))
      } catch {
        if isTail { break }
        throw RunStoreError.damagedLine(path: path, line: index + 1, reason: describeDecoding(error))
      }
    }
    return entries
  }

  /// Adds a line at the end, after it has removed a torn one.
  ///
  /// - Throws: `FileError`; the file is then as it was.
  public func append(_ entry: MetricsEntry) throws {
    // On disk before the checkpoint of the same epoch is.
    try LineFile.append(JSONValue(encoding: entry).compactJSON, to: path) { (try? Self.entry($0)) != nil }
  }

  /// Drops the lines of a stage past an epoch, and a torn last line: what a resumed run is about to write again. Lines
  /// of other stages stay. The file is replaced in one step.
  ///
  /// - Parameters:
  ///   - epoch: The last epoch to keep; 0 drops all but what was measured before the first.
  ///   - stage: The stage that is resumed.
  /// - Throws: What ``read()`` throws, and `FileError`.
  public func drop(after epoch: Int, of stage: String) throws {
    guard FileSystem.exists(path) else { return }
    let kept = try read().filter { $0.stage != stage || $0.epoch <= epoch }
    try AtomicFile.write(kept.map { try JSONValue(encoding: $0).compactJSON + "\n" }.joined(), to: path)
  }

  private static let newline = UInt8(ascii: "\n")

  private static func entry(_ line: some Collection<UInt8>) throws -> MetricsEntry {
    let entry: MetricsEntry = try JSONValue(json: line).decode()
    guard (0...1_000_000_000).contains(entry.epoch) else {
      throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "there is no epoch \(entry.epoch)"))
    }
    return entry
  }
}
