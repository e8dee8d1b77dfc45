import Support

/// Which training samples a map shows: as figure 1 of the decoupled-training paper (Huang et al. 2022, appendix A), a
/// share of the poisoned ones and one of the others. The defense hands over features of all samples and does not know
/// which are poisoned; whoever draws the map may.
struct MapSelection {
  private let poisonedShare: Double
  private let cleanShare: Double
  private let most: Int

  init(_ settings: EvaluationSettings) {
    (poisonedShare, cleanShare, most) = (settings.mapPoisoned, settings.mapClean, settings.mapPoints)
  }

  /// - Parameter poisoned: of each candidate, whether it is poisoned.
  /// - Returns: positions among the candidates, drawn at random, in ascending order.
  func rows(of poisoned: [Bool], _ generator: some RandomNumberGenerator) -> [Int] {
    var generator = generator
    let (bad, good) = (poisoned.indices.filter { poisoned[$0] }, poisoned.indices.filter { !poisoned[$0] })
    var counts = (
      bad: Int((poisonedShare * Double(bad.count)).rounded()), good: Int((cleanShare * Double(good.count)).rounded())
    )
    let all = counts.bad + counts.good
    if all > most {
      counts.bad = Int((Double(counts.bad) * Double(most) / Double(all)).rounded())
      counts.good = most - counts.bad
    }
    return (generator.sample(counts.bad, from: bad) + generator.sample(counts.good, from: good)).sorted()
  }
}
