import Files
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

  /// The difference of two shares in percentage points, with its sign: from 0.967 to 0.944 is "−2.3". It is that of the
  /// percentages as they are shown.
  static func points(from first: Double?, to second: Double?) -> String {
    guard let first, let second else { return missing }
    guard (second - first).isFinite else { return notFinite(second - first) }
    guard let a = Double(decimal(100 * first, 1)), let b = Double(decimal(100 * second, 1)) else { return missing }
    let text = decimal(abs(b - a), 1)
    if text == "0.0" { return "0.0" }
    return (b < a ? "−" : "+") + text
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
    WilsonInterval(share, count: count).map { String(format: "%.1f–%.1f", 100 * $0.lower, 100 * $0.upper) }
  }

  private static func notFinite(_ value: Double) -> String {
    value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞"
  }

  private static func withoutNegativeZero(_ value: Double) -> Double {
    value == 0 ? 0 : value
  }
}
