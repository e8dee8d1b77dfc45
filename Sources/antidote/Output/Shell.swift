import Foundation

/// Words for a shell.
enum Shell {
  /// The word in quotes where it needs them.
  static func quoted(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,@+".contains($0) }
    return isPlain ? word : "'\(word.replacingOccurrences(of: "'", with: "'\\''"))'"
  }

  /// The command as it was given.
  static var commandLine: String {
    (["antidote"] + CommandLine.arguments.dropFirst()).map(quoted).joined(separator: " ")
  }
}
