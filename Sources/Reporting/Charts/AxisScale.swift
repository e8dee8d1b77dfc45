import Foundation

/// A linear scale with round ticks.
struct AxisScale {
  var lower: Double
  var upper: Double
  var ticks: [Double]

  /// A scale that covers the values, from zero where that wastes little room.
  ///
  /// - Parameters:
  ///   - values: Finite values; none gives the scale from 0 to 1.
  ///   - count: About how many ticks.
  init(covering values: [Double], ticks count: Int = 6) {
    var lower = values.min() ?? 0
    var upper = values.max() ?? 1
    if lower > 0, lower < 0.6 * upper || lower == upper { lower = 0 }
    if lower == upper { (lower, upper) = lower < 0 ? (lower, 0) : (0, 1) }
    let step = Self.roundStep((upper - lower) / Double(max(1, count - 1)))
    let first = (lower / step + 1e-9).rounded(.down)
    let last = (upper / step - 1e-9).rounded(.up)
    guard step > 0, step.isFinite, last - first < 100 else {
      self.init(lower: lower, upper: upper, ticks: [lower, upper])
      return
    }
    self.init(
      lower: first * step, upper: last * step, ticks: (0...Int(last - first)).map { (first + Double($0)) * step })
  }

  init(lower: Double, upper: Double, ticks: [Double]) {
    self.lower = lower
    self.upper = upper
    self.ticks = ticks
  }

  /// Shares from 0 to 100%.
  static let shares = AxisScale(lower: 0, upper: 1, ticks: [0, 0.25, 0.5, 0.75, 1])

  /// Whole epochs, the first and the last of them at the ends.
  static func epochs(_ epochs: [Int]) -> AxisScale {
    guard let first = epochs.min(), let last = epochs.max(), first < last else {
      let only = Double(epochs.first ?? 1)
      return AxisScale(lower: only - 1, upper: only + 1, ticks: [only])
    }
    let step = max(1, Int(roundStep(Double(last - first) / 6)))
    let ticks = stride(from: first - ((first % step) + step) % step, through: last, by: step).filter { $0 >= first }
    return AxisScale(lower: Double(first), upper: Double(last), ticks: ticks.map(Double.init))
  }

  /// Where a value lies, from 0 at the lower to 1 at the upper end.
  func position(_ value: Double) -> Double {
    (value - lower) / (upper - lower)
  }

  /// 1, 2, 2.5 or 5 times a power of ten, not below the argument.
  private static func roundStep(_ raw: Double) -> Double {
    guard raw > 0, raw.isFinite else { return 1 }
    let power = pow(10, log10(raw).rounded(.down))
    for factor in [1, 2, 2.5, 5] where raw <= factor * power * (1 + 1e-9) { return factor * power }
    return 10 * power
  }
}
