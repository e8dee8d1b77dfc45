public import Foundation
import Synchronization

/// A run's log: every line goes to a file with its time, warnings also to the user.
///
/// A log never stops the work: where its file cannot be written, the user is told once, and the lines are dropped.
public final class Log: Sendable {
  /// How grave a line is.
  public enum Level: String, Sendable { case info, warning, error }

  private let file: AppendingFile?
  private let progress: any ProgressReporter
  private let now: @Sendable () -> Date
  private let hasFailed = Mutex(false)

  /// - Parameters:
  ///   - path: The file, which is appended to; nil for none.
  ///   - progress: Shows warnings and errors between its bars.
  ///   - now: The clock.
  /// - Throws: `FileError` where the file cannot be opened.
  public init(path: String?, progress: any ProgressReporter, now: @escaping @Sendable () -> Date = { Date() }) throws(FileError) {
    file = if let path { try AppendingFile(path) } else { nil }
    self.progress = progress
    self.now = now
  }

  /// A line for the file.
  public func info(_ text: String) { write(.info, text) }

  /// A line for the file and the user.
  public func warning(_ text: String) {
    write(.warning, text)
    progress.message("warning: \(text)")
  }

  /// A line for the file and the user.
  public func error(_ text: String) {
    write(.error, text)
    progress.message("error: \(text)")
  }

  private func write(_ level: Level, _ text: String) {
    guard let file else { return }
    // The lines of one entry after its first are indented, so that every entry starts with its time.
    let body = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n    ")
    do {
      try file.append(line: "\(now().formatted(JSONDates.style)) \(level.rawValue): \(body)")
    } catch {
      let isFirst = hasFailed.withLock { hasFailed in
        defer { hasFailed = true }
        return !hasFailed
      }
      if isFirst { progress.message("warning: \(error) The log goes on without its file.") }
    }
  }
}
