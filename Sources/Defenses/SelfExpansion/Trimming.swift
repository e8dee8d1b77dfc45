/// The samples that an iteration keeps (line 7 of algorithm 2, with the paper's appendix B.1).
public enum Trimming {
  /// Samples among the easiest `beta` of all, or among the easiest `classShare` of their own class: the second keeps
  /// the network from collapsing to a few classes, and keeps samples of small classes.
  ///
  /// Shares are rounded to whole samples, at least one; of equal losses the earlier sample is easier.
  /// - Returns: positions in `losses`, ascending.
  public static func kept(losses: [Float], labels: [Int], beta: Double, classShare: Double) -> [Int] {
    let order = losses.indices.sorted { losses[$0] == losses[$1] ? $0 < $1 : losses[$0] < losses[$1] }
    var quota = Dictionary(grouping: labels, by: { $0 }).mapValues { count(classShare, of: $0.count) }
    let global = count(beta, of: losses.count)
    var kept: [Int] = []
    for (rank, sample) in order.enumerated() {
      let left = quota[labels[sample], default: 0]
      quota[labels[sample]] = left - 1
      if rank < global || left > 0 { kept.append(sample) }
    }
    return kept.sorted()
  }

  /// A share of `total` samples, at least one of them.
  static func count(_ share: Double, of total: Int) -> Int {
    min(total, max(1, Int((share * Double(total)).rounded())))
  }
}
