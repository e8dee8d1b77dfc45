/// How far two lists agree on an order.
enum RankCorrelation {
  /// Spearman's coefficient: the correlation of the ranks, those of equal values being their mean. 1 is the same order,
  /// -1 the reverse one.
  ///
  /// - Returns: nil of fewer than three pairs, or where one side's values are all equal.
  static func spearman(_ a: [Double], _ b: [Double]) -> Double? {
    guard a.count == b.count, a.count > 2 else { return nil }
    let (x, y) = (ranks(a), ranks(b))
    let mean = Double(a.count + 1) / 2
    var (xy, xx, yy) = (0.0, 0.0, 0.0)
    for (left, right) in zip(x, y) {
      xy += (left - mean) * (right - mean)
      xx += (left - mean) * (left - mean)
      yy += (right - mean) * (right - mean)
    }
    return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil
  }

  /// Ranks from 1.
  static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = Array(repeating: 0.0, count: values.count)
    var first = 0
    while first < order.count {
      var end = first
      while end < order.count, values[order[end]] == values[order[first]] { end += 1 }
      for place in first..<end { ranks[order[place]] = Double(first + 1 + end) / 2 }
      first = end
    }
    return ranks
  }
}
