/// A model's score against a bank of clean models, and how rare it is among them.
///
/// Each statistic is standardised by class (`BankScale`), the three are added, and the largest class counts. The sum has
/// no known distribution, so it is calibrated itself: p = (1 + number of clean models that score at least as high) /
/// (n + 1), the full conformal p-value (Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, 2005, section
/// 2.2): every model is scored against all the others, a clean one against the rest of the bank *and the audited
/// model*. All n + 1 scores are then made in the same way, and if the audited model, were it clean, could have been one
/// of the bank, each order of them is as likely: p is at most alpha with probability at most alpha, for banks of any
/// size. It cannot be smaller than 1 / (n + 1).
public struct BankScore: Codable, Sendable, Hashable {
  /// Sum of the standardised statistics, by class.
  public let sums: [Double]
  /// The standardised statistics, by class.
  public let standardized: [String: [Double]]
  /// The class with the largest sum.
  public let label: Int
  /// Its sum.
  public let score: Double
  /// Scores of the clean models, each against the others and the audited one.
  public let cleanScores: [Double]
  /// Conformal.
  public let pValue: Double
  /// 1 / (n + 1).
  public var smallestPValue: Double { 1 / Double(cleanScores.count + 1) }

  /// - Parameters:
  ///   - bank: at least `least` clean models, with classes in the order of `model`.
  ///   - statistics: those that count, which all models need to have.
  public init(_ model: ClassStatistics, bank: [ClassStatistics], statistics: [AuditStatistic]) {
    let all = bank + [model]
    func standardized(_ number: Int) -> [(AuditStatistic, [Double])] {
      statistics.compactMap { statistic in
        all[number][statistic].map { own in
          let others = all.indices.filter { $0 != number }.compactMap { all[$0][statistic] }
          return (statistic, BankScale(others).standardized(own))
        }
      }
    }
    func sums(_ parts: [(AuditStatistic, [Double])]) -> [Double] {
      (0..<model.classes).map { k in parts.reduce(0) { $0 + $1.1[k] } }
    }
    let own = standardized(bank.count)
    self.standardized = Dictionary(uniqueKeysWithValues: own.map { ($0.rawValue, $1) })
    let totals = sums(own)
    self.sums = totals
    label = totals.indices.max { totals[$0] < totals[$1] } ?? 0
    score = totals.max() ?? 0
    cleanScores = bank.indices.map { sums(standardized($0)).max() ?? 0 }
    pValue = Self.conformal(score, among: cleanScores)
  }

  /// (1 + number of values that are at least as large) / (n + 1).
  public static func conformal(_ value: Double, among clean: [Double]) -> Double {
    Double(1 + clean.count { $0 >= value }) / Double(clean.count + 1)
  }

  /// Two models have a deviation, but hardly one to divide by.
  public static let least = 3
}
