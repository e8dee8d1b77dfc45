import Foundation

/// Numbers as the reports write them. What is missing is an en dash.
enum NumberText {
  static let missing = "–"

  /// A share in [0, 1] as a percentage with one decimal: 0.981 is "98.1%".
  static func percent(_ share: Double?) -> String {
    guard let share else { return missing }
    guard share.isFinite else { return notFinite(share) }
    return decimal(100 * share, 1) + "%"
  }

  /// A difference of shares in percentage points, with its sign: -0.972 is "−97.2".
  static func points(_ difference: Double?) -> String {
    guard let difference else { return missing }
    guard difference.isFinite else { return notFinite(difference) }
    let text = decimal(abs(100 * difference), 1)
    if text == "0.0" { return "0.0" }
    return (difference < 0 ? "−" : "+") + text
  }

  static func fixed(_ value: Double?, decimals: Int) -> String {
    guard let value else { return missing }
    guard value.isFinite else { return notFinite(value) }
    return decimal(value, decimals)
  }

  /// A number as an axis or a settings table shows it: at most four significant digits.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return notFinite(value) }
    return String(format: "%.4g", withoutNegativeZero(value))
  }

  /// "2025-11-21 07:32 UTC".
  static func date(_ date: Date) -> String {
    let text = date.formatted(.iso8601)
    return text.prefix(10) + " " + text.dropFirst(11).prefix(5) + " UTC"
  }

  /// The 95% interval of a share measured on `count` images (Wilson, 1927): "0.7–1.1".
  ///
  /// - Returns: `nil` where there is none.
  static func interval(_ share: Double, count: Int) -> String? {
    guard count > 0, share >= 0, share <= 1 else { return nil }
    let z = 1.959964
    let n = Double(count)
    let centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
    return String(format: "%.1f–%.1f", 100 * max(0, centre - half), 100 * min(1, centre + half))
  }

  /// Half a unit in the last place goes up, also where binary fractions put it a little below: shares are ratios of
  /// counts, so that such ties are common, and the same score must not read 98.2 in one table and 98.3 in another.
  private static func decimal(_ value: Double, _ decimals: Int) -> String {
    let nudged = value + (value < 0 ? -1e-9 : 1e-9)
    let text = String(format: "%.\(decimals)f", nudged)
    return text.hasPrefix("-") && !text.contains { ("1"..."9").contains($0) } ? String(text.dropFirst()) : text
  }

  private static func notFinite(_ value: Double) -> String {
    value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞"
  }

  private static func withoutNegativeZero(_ value: Double) -> Double {
    value == 0 ? 0 : value
  }
}
