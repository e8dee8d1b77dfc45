import Foundation

/// Words for a shell.
public enum ShellWord {
  /// The word in quotes where it needs them.
  public static func quoted(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,@+".contains($0) }
    return isPlain ? word : "'\(word.replacingOccurrences(of: "'", with: "'\\''"))'"
  }
}
