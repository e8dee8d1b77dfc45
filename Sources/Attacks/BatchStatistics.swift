import Support

/// What BatchNorm sees where a step learns a batch clean and triggered.
///
/// In two passes all images of a pass are of one kind. A model can then tell the kinds apart by what its layers subtract
/// and divide by, rather than by the trigger, and the running statistics, which decide afterwards, are those of neither.
public enum BatchStatistics: String, Codable, Sendable, CaseIterable {
  /// Both halves in one pass.
  case joint
  /// One after the other, each with statistics of its own.
  case separate

  static func setting(_ source: String) -> Setting {
    Setting(
      "statistics", "BatchNorm sees clean and triggered images of a step together, or each by themselves.",
      choices: allCases.map(\.rawValue), source: source)
  }
}
