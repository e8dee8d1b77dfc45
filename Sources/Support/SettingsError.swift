import Files

/// Everything that is wrong with a configuration, reported together.
public struct SettingsError: Error, CustomStringConvertible, Sendable, Hashable {
  /// One wrong setting.
  public struct Issue: Sendable, Hashable {
    /// The setting, from the root of the configuration: `attack.rate`.
    public var path: String
    /// What is wrong, and what would be right.
    public var message: String
    /// The line in the file; nil where that of the setting is meant.
    public var line: Int?

    public init(path: String, message: String, line: Int? = nil) {
      self.path = path
      self.message = message
      self.line = line
    }
  }

  /// The wrong settings, at least one.
  public let issues: [Issue]
  /// The file that holds them, and the line of each issue; nil for settings that stand in no file.
  private var places: [String?]

  /// Makes an error of several issues.
  public init(_ issues: [Issue]) {
    self.issues = issues
    places = issues.map { _ in nil }
  }

  /// Makes an error of one issue.
  public init(_ path: String, _ message: String) { self.init([Issue(path: path, message: message)]) }

  /// The same error with the line of each setting in the file that it was read from.
  public func located(in document: YAMLDocument) -> SettingsError {
    var copy = self
    copy.places = issues.map { issue in
      guard let line = issue.line ?? document.line(of: issue.path) else { return document.source }
      return document.source.map { "\($0):\(line)" } ?? "line \(line)"
    }
    return copy
  }

  /// The most issues that a description spells out.
  public static let mostShown = 20

  /// One line for each issue, up to twenty: `experiment.yaml:4: attack.rte: unknown setting. Did you mean attack.rate?
  /// ...`
  public var description: String {
    var lines = zip(issues, places).prefix(Self.mostShown).map { issue, place in
      [place, issue.path.isEmpty ? nil : escaped(issue.path, limit: 120), escaped(issue.message, limit: 2000)]
        .compactMap { $0 }.joined(separator: ": ")
    }
    if issues.count > Self.mostShown { lines.append("... and \(issues.count - Self.mostShown) more") }
    return lines.joined(separator: "\n")
  }
}

extension SettingsError {
  /// A name that is none of the known ones; the message suggests the nearest.
  public static func unknownName(what: String, name: String, known: [String]) -> SettingsError {
    let question = Nearest.question(name, among: known)
    let hint = (question.isEmpty ? "" : question + " ") + "Known: \(known.joined(separator: ", "))."
    return SettingsError("", "unknown \(what) \"\(escaped(name, limit: 120))\". \(hint)")
  }
}
