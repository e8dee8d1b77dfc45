/// The 95% interval of a share (Wilson, 1927): where the share of all images may lie, given that of some.
struct WilsonInterval: Equatable {
  var lower: Double
  var upper: Double

  private static let z = 1.959964

  /// - Returns: nil where the share is outside [0, 1], or was measured on nothing.
  init?(_ share: Double, count: Int) {
    guard count > 0, share >= 0, share <= 1 else { return nil }
    let (z, n) = (Self.z, Double(count))
    let centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    let half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
    (lower, upper) = (max(0, centre - half), min(1, centre + half))
  }

  /// Whether two shares differ by more than chance: whether the interval of their difference (Newcombe, 1998, method 10)
  /// is without 0. What cannot be told, for want of a count, counts as a difference.
  static func differ(_ a: (share: Double, count: Int?), _ b: (share: Double, count: Int?)) -> Bool {
    guard let first = a.count.flatMap({ WilsonInterval(a.share, count: $0) }),
      let second = b.count.flatMap({ WilsonInterval(b.share, count: $0) })
    else { return a.share != b.share }
    func root(_ x: Double, _ y: Double) -> Double { (x * x + y * y).squareRoot() }
    let difference = a.share - b.share
    return difference > root(a.share - first.lower, second.upper - b.share)
      || -difference > root(first.upper - a.share, b.share - second.lower)
  }
}
