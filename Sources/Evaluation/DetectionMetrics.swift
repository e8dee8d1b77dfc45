import Foundation

/// How well a defense told poisoned from clean training samples. Rates are fractions; nil where they have no
/// denominator.
///
/// An attack's cover samples, changed images with true labels, are counted apart: rejecting one is neither a true nor a
/// false positive, and they are in no rate but their own.
public struct DetectionMetrics: Sendable, Codable, Equatable {
  public var keptCount: Int
  public var rejectedCount: Int
  public var poisonedCount: Int
  /// Poisoned samples among the kept ones.
  public var poisonKept: Int
  /// Clean samples among the rejected ones.
  public var cleanRejected: Int
  public var coverCount: Int
  /// Cover samples among the rejected ones.
  public var coverRejected: Int
  /// Area under the ROC curve of the suspicion scores: the chance that a poisoned sample is more suspicious than a
  /// clean one.
  public var areaUnderROC: Double?

  /// Share of the poison that was rejected (TPR).
  public var truePositiveRate: Double? { share(poisonedCount - poisonKept, poisonedCount) }
  /// Share of the clean samples that was rejected (FPR).
  public var falsePositiveRate: Double? { share(cleanRejected, cleanCount) }
  /// Poisoned samples among the rejected ones that are no covers (the successful filtering rate).
  public var precision: Double? { share(poisonedCount - poisonKept, rejectedCount - coverRejected) }
  /// Share of the cover samples that was rejected.
  public var coverRejectedRate: Double? { share(coverRejected, coverCount) }
  public var cleanCount: Int { keptCount + rejectedCount - poisonedCount - coverCount }
  /// Poisoned samples among the kept ones, as a share.
  public var poisonShareKept: Double? { share(poisonKept, keptCount) }

  /// - Parameters:
  ///   - rejected: positions in the training set; the rest was kept.
  ///   - suspicion: one value per training sample, higher is more suspicious; NaN counts as least suspicious.
  ///   - poisoned: positions of the poisoned samples.
  ///   - covers: positions of the cover samples.
  ///   - count: training samples in all.
  public init(
    rejected: [Int], suspicion: [Double]?, poisoned: some Collection<Int>, covers: some Collection<Int> = [],
    count: Int
  ) {
    let (poison, cover) = (Set(poisoned), Set(covers))
    rejectedCount = rejected.count
    keptCount = count - rejected.count
    poisonedCount = poison.count
    coverCount = cover.count
    coverRejected = rejected.count(where: cover.contains)
    poisonKept = poison.count - rejected.count(where: poison.contains)
    cleanRejected = rejected.count { !poison.contains($0) && !cover.contains($0) }
    areaUnderROC = suspicion.flatMap { Self.areaUnderROC($0, positives: poison, without: cover) }
  }

  /// Records of earlier versions know no covers.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    keptCount = try fields.decode(Int.self, forKey: .keptCount)
    rejectedCount = try fields.decode(Int.self, forKey: .rejectedCount)
    poisonedCount = try fields.decode(Int.self, forKey: .poisonedCount)
    poisonKept = try fields.decode(Int.self, forKey: .poisonKept)
    cleanRejected = try fields.decode(Int.self, forKey: .cleanRejected)
    coverCount = try fields.decodeIfPresent(Int.self, forKey: .coverCount) ?? 0
    coverRejected = try fields.decodeIfPresent(Int.self, forKey: .coverRejected) ?? 0
    areaUnderROC = try fields.decodeIfPresent(Double.self, forKey: .areaUnderROC)
  }

  /// The rates are written beside the counts that they follow from.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(keptCount, forKey: .keptCount)
    try fields.encode(rejectedCount, forKey: .rejectedCount)
    try fields.encode(poisonedCount, forKey: .poisonedCount)
    try fields.encode(poisonKept, forKey: .poisonKept)
    try fields.encode(cleanRejected, forKey: .cleanRejected)
    try fields.encode(coverCount, forKey: .coverCount)
    try fields.encode(coverRejected, forKey: .coverRejected)
    try fields.encodeIfPresent(areaUnderROC, forKey: .areaUnderROC)
    guard rejectedCount > 0 else { return }
    try fields.encodeIfPresent(precision, forKey: .precision)
    try fields.encodeIfPresent(truePositiveRate, forKey: .truePositiveRate)
    try fields.encodeIfPresent(falsePositiveRate, forKey: .falsePositiveRate)
  }

  private enum CodingKeys: String, CodingKey {
    case keptCount, rejectedCount, poisonedCount, poisonKept, cleanRejected, coverCount, coverRejected, areaUnderROC
    case precision, truePositiveRate, falsePositiveRate
  }

  /// The Mann-Whitney statistic; ties count one half. nil where one of the groups is empty.
  static func areaUnderROC(_ scores: [Double], positives: Set<Int>, without: Set<Int> = []) -> Double? {
    let scores = scores.map { $0.isNaN ? -.infinity : $0 }
    let order = scores.indices.filter { !without.contains($0) }.sorted { scores[$0] < scores[$1] }
    let (positive, negative) = (positives.count, order.count - positives.count)
    guard positive > 0, negative > 0 else { return nil }
    var (rankSum, first) = (0.0, 0)
    while first < order.count {
      var end = first
      while end < order.count, scores[order[end]] == scores[order[first]] { end += 1 }
      let rank = Double(first + 1 + end) / 2
      rankSum += rank * Double(order[first..<end].count { positives.contains($0) })
      first = end
    }
    return (rankSum - Double(positive * (positive + 1)) / 2) / (Double(positive) * Double(negative))
  }
}
