import ArgumentParser
import Files
import Foundation
import Support

/// How an error ends the program: its message on standard error and an exit code.
struct Failure {
  private let error: any Error

  init(_ error: any Error) { self.error = error }

  /// - Parameter code: the exit code of what the tool itself reports.
  func end(code: Int32 = 1) -> Never {
    TerminalProgress.standard.stop()
    // The argument parser's own errors (help was asked for, options that exclude each other) know how to end.
    if String(reflecting: type(of: error)).hasPrefix("ArgumentParser.") {
      Antidote.exit(withError: error)
    }
    if let error = error as? StandardStreamError, error.isClosedPipe { exit(128 + SIGPIPE) }
    StandardStreams.writeError(escapedLines(text) + "\n")
    exit((error as? Interrupted)?.exitCode ?? code)
  }

  /// What the user reads. Our errors carry their whole message, with the thing and the fix.
  private var text: String {
    switch error {
    case let error as Interrupted: "\(error). Give the same command again to go on."
    case let error as SettingsError where error.issues.count > 1:
      "antidote: \(error.issues.count) settings are wrong:\n"
        + error.description.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    default: "antidote: \(error)"
    }
  }
}
