/// Values of clean cases, beside which others are judged: conformal p-values, and which of many are rejected at a false
/// discovery rate.
public struct ConformalNull: Sendable {
  /// Ascending.
  private let clean: [Double]

  /// - Parameter clean: values of clean cases, larger where suspicion is.
  public init(_ clean: [Double]) { self.clean = clean.sorted() }

  /// 1 / (n + 1).
  public var smallestPValue: Double { 1 / Double(clean.count + 1) }

  /// (1 + number of clean values that are at least as large) / (n + 1) (Vovk, Gammerman, Shafer: Algorithmic Learning in
  /// a Random World, 2005).
  public func pValue(of value: Double) -> Double {
    var (low, high) = (0, clean.count)
    while low < high {
      let middle = (low + high) / 2
      if clean[middle] < value { low = middle + 1 } else { high = middle }
    }
    return Double(1 + clean.count - low) / Double(clean.count + 1)
  }

  /// Positions that are rejected so that the expected share of clean cases among them is at most `level` (Benjamini,
  /// Hochberg: Controlling the False Discovery Rate, JRSS B 1995): the k smallest p-values with the largest k whose k-th
  /// is at most k / m times the level. It holds for conformal p-values over one set of clean values too, dependent as
  /// they are (Bates, Candès, Lei, Romano, Sesia: Testing for Outliers with Conformal p-values, Annals of Statistics
  /// 2023).
  public static func rejected(_ pValues: [Double], level: Double) -> [Int] {
    let sorted = pValues.sorted()
    guard
      let last = sorted.indices.last(where: { sorted[$0] <= Double($0 + 1) / Double(sorted.count) * level })
    else { return [] }
    return pValues.indices.filter { pValues[$0] <= sorted[last] }
  }
}
