import Foundation

/// The interval of a share by Clopper and Pearson (The use of confidence or fiducial limits illustrated in the case of
/// the binomial, Biometrika 1934): it covers the true share with at least the given confidence, whatever the share is.
public struct ShareInterval: Codable, Sendable, Hashable {
  public let share: Double
  public let lower: Double
  public let upper: Double

  /// - Parameters:
  ///   - successes: of `count` independent trials.
  public init(successes: Int, of count: Int, confidence: Double = 0.95) {
    let tail = (1 - confidence) / 2
    share = count == 0 ? 0 : Double(successes) / Double(count)
    lower =
      successes == 0 || count == 0
      ? 0 : Self.root { Self.atLeast(successes, of: count, $0) - tail }
    upper =
      successes == count
      ? 1 : Self.root { tail - (1 - Self.atLeast(successes + 1, of: count, $0)) }
  }

  /// Where an increasing function crosses 0 in [0, 1].
  private static func root(_ function: (Double) -> Double) -> Double {
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if function(middle) < 0 { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// P(X >= k) of a binomial variable.
  static func atLeast(_ k: Int, of n: Int, _ p: Double) -> Double {
    guard k > 0 else { return 1 }
    guard p > 0, k <= n else { return 0 }
    guard p < 1 else { return 1 }
    return (k...n).reduce(0) { total, i in
      let ways = lgamma(Double(n + 1)) - lgamma(Double(i + 1)) - lgamma(Double(n - i + 1))
      return total + exp(ways + Double(i) * Foundation.log(p) + Double(n - i) * log1p(-p))
    }
  }
}
