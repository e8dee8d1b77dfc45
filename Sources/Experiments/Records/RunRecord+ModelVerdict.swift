import Backdoor
import Files

extension RunRecord {
  /// What the defense found out about the model that it was given, as a whole.
  public struct ModelVerdict: Codable, Sendable, Equatable {
    public var isSuspicious: Bool
    /// What is measured: "anomaly index".
    public var statistic: String
    public var value: Double
    /// Values from here on are suspicious.
    public var threshold: Double
    /// Share of clean models that reach the value, under `null`.
    public var pValue: Double
    public var null: String
    /// The class that stands out.
    public var label: Int?
    public var scoreName: String?
    /// One value a class.
    public var classScores: [Double]?
    /// Pictures of the trigger found for `label`: on black, and its mask.
    public var trigger: String?
    public var mask: String?
  }
}

extension RunRecord.ModelVerdict {
  init(_ verdict: Backdoor.ModelVerdict) {
    self.init(
      isSuspicious: verdict.isSuspicious, statistic: verdict.statistic, value: verdict.value,
      threshold: verdict.threshold, pValue: verdict.pValue, null: verdict.null, label: verdict.label,
      scoreName: verdict.classScores?.name, classScores: verdict.classScores?.values)
  }

  /// The verdict in a sentence.
  public func sentence(naming classNames: [String]) -> String {
    let name = label.map { classNames.indices.contains($0) ? classNames[$0] : "\($0)" }
    let share = formatPercent(pValue, digits: 2)
    return "\(isSuspicious ? "suspicious" : "not suspicious"): \(statistic) \(formatRounded(value))"
      + (name.map { " of class \($0)" } ?? "")
      + ", suspicious from \(formatRounded(threshold)) on; \(share) of clean models reach it if \(null)"
  }
}
