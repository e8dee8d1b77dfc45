import Backdoor

/// A model's score against a bank of clean models, and how rare it is among them.
///
/// Each statistic is standardised by class (`BankScale`); of each the largest class counts, and these are added. Which
/// class that is may differ: an attack shows in one statistic more than in another, and one without a single target
/// shows everywhere a little.
///
/// The score has no known distribution, so it is calibrated itself: p = (1 + number of clean models that score at least
/// as high) / (n + 1), the full conformal p-value (Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2005,
/// section 2.2): every model is scored against all the others, a clean one against the rest of the bank *and the audited
/// model*. All n + 1 scores are then made in the same way, and if the audited model, were it clean, could have been one
/// of the bank, each order of them is as likely: p is at most alpha with probability at most alpha, for banks of any
/// size. It cannot be smaller than 1 / (n + 1).
///
/// Where the audited model was measured for some classes alone, its score is at most what it would have been for all.
public struct BankScore: Codable, Sendable, Hashable {
  /// The classes of the audited model that were measured, ascending: those of the following lists.
  public let labels: [Int]
  /// Sum of the standardised statistics, by class.
  public let sums: [Double]
  /// The standardised statistics, by class.
  public let standardized: [String: [Double]]
  /// The class with the largest standardised value of all.
  public let label: Int
  /// Sum over the statistics of the largest standardised values.
  public let score: Double
  /// Scores of the clean models, each against the others and the audited one.
  public let cleanScores: [Double]
  /// The largest sum over one class of each clean model, to compare `sums` with.
  public let cleanSums: [Double]
  /// Conformal.
  public let pValue: Double
  /// 1 / (n + 1).
  public var smallestPValue: Double { 1 / Double(cleanScores.count + 1) }

  /// - Parameters:
  ///   - bank: at least `least` clean models, with all classes in the order of the audited model's.
  ///   - statistics: those that count, which all models need to have.
  public init(_ model: ClassStatistics, bank: [ClassStatistics], statistics: [AuditStatistic]) {
    let measured = model.measured
    let clean = statistics.map { statistic in bank.compactMap { $0[statistic] } }
    let own = statistics.map { model[$0] ?? [] }
    let parts = clean.indices.map { s in
      BankScale(clean[s]).standardized(own[s], labels: measured)
    }
    labels = measured
    standardized = Dictionary(uniqueKeysWithValues: zip(statistics.map(\.rawValue), parts))
    sums = Self.sums(parts)
    score = Self.score(parts)
    let peaks = measured.indices.map { place in parts.map { $0[place] }.max() ?? 0 }
    label = peaks.indices.max { peaks[$0] < peaks[$1] }.map { measured[$0] } ?? 0
    let cleanParts = bank.indices.map { number in
      clean.indices.map { s in
        var values = clean[s].first?.indices.map { k in
          clean[s].indices.filter { $0 != number }.map { clean[s][$0][k] }
        }
        for (place, k) in measured.enumerated() { values?[k].append(own[s][place]) }
        return BankScale(byClass: values ?? []).standardized(clean[s][number])
      }
    }
    cleanScores = cleanParts.map(Self.score)
    cleanSums = cleanParts.map { Self.sums($0).max() ?? 0 }
    pValue = ConformalNull(cleanScores).pValue(of: score)
  }

  /// Places of the largest sums, the largest first; that of the class that stands out is among them.
  public func largestSums(_ count: Int) -> [Int] {
    var order = Array(sums.indices.sorted { sums[$0] > sums[$1] }.prefix(count))
    if let own = labels.firstIndex(of: label), !order.contains(own) { order[order.count - 1] = own }
    return order
  }

  /// By class, of standardised values by statistic and class.
  private static func sums(_ parts: [[Double]]) -> [Double] {
    (parts.first ?? []).indices.map { k in parts.reduce(0) { $0 + $1[k] } }
  }
  private static func score(_ parts: [[Double]]) -> Double {
    parts.reduce(0) { $0 + ($1.max() ?? 0) }
  }

  /// Two models have a deviation, but hardly one to divide by.
  public static let least = 3
}
