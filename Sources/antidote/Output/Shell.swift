import Support

/// What was typed.
enum Shell {
  /// The command as it was given.
  static var commandLine: String {
    (["antidote"] + CommandLine.arguments.dropFirst()).map(ShellWord.quoted).joined(separator: " ")
  }
}
