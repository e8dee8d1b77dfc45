// The successful filtering rate of table 22 in Huang et al. (Backdoor Defense via Decoupling the Training Process, 2022):
// how much of what is removed from the target class is poison, for several bounds on the number of poisoned samples. As
// spectral signatures (Tran et al. 2018) do, 1.5 epsilon samples are removed: the paper says so of that method, and the
// printed shares are of 1.5 epsilon for its own too (97.87% at 250 is 367 of 375, 70.09% at 1500 is 1577 of 2250).
//
// The bounds are the paper's 250, 500, 1000 and 1500 of 50,000 samples, and the same shares of a set of another size.

/// Poisoned samples among the most suspicious ones of the target class.
public struct FilteringRate: Sendable, Codable, Equatable {
  /// Epsilon as a share of the training set.
  public static let bounds = [0.005, 0.01, 0.02, 0.03]
  static let factor = 1.5

  /// Epsilon: the bound on the number of poisoned samples.
  public var bound: Int
  /// Samples that are removed; fewer than 1.5 epsilon where the class is smaller.
  public var removed: Int
  public var poisonedRemoved: Int

  public var share: Double { Double(poisonedRemoved) / Double(removed) }

  public init(bound: Int, removed: Int, poisonedRemoved: Int) {
    (self.bound, self.removed, self.poisonedRemoved) = (bound, removed, poisonedRemoved)
  }

  /// One rate for each of the paper's bounds; none where there is no suspicion or no poison.
  /// - Parameters:
  ///   - suspicion: one value per training sample, higher is more suspicious; NaN counts as least suspicious.
  ///   - labels: the given labels. Those that poisoned samples carry are the target classes; with several, each is
  ///     filtered for itself and the counts are added up.
  ///   - poisoned: positions of the poisoned samples.
  ///   - covers: positions of the cover samples, which are in no rate.
  public static func all(suspicion: [Double]?, labels: [Int], poisoned: Set<Int>, covers: Set<Int> = [])
    -> [FilteringRate]
  {
    guard let suspicion, !poisoned.isEmpty else { return [] }
    let targets = Set(poisoned.map { labels[$0] })
    func value(_ index: Int) -> Double { suspicion[index].isNaN ? -.infinity : suspicion[index] }
    let candidates = labels.indices.filter { targets.contains(labels[$0]) && !covers.contains($0) }
    let ranked = Dictionary(grouping: candidates) { labels[$0] }.mapValues { members in
      members.sorted { (value($0), $1) > (value($1), $0) }
    }
    return bounds.compactMap { share in
      let bound = Int((share * Double(labels.count)).rounded())
      let removed = ranked.values.flatMap { $0.prefix(Int(factor * Double(bound))) }
      guard !removed.isEmpty else { return nil }
      return FilteringRate(
        bound: bound, removed: removed.count, poisonedRemoved: removed.count(where: poisoned.contains))
    }
  }
}
