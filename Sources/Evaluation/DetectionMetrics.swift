import Foundation

/// How well a defense told poisoned from clean training samples. Rates are fractions; nil where they have no
/// denominator.
public struct DetectionMetrics: Sendable, Codable, Equatable {
  public var keptCount: Int
  public var rejectedCount: Int
  public var poisonedCount: Int
  /// Poisoned samples among the kept ones.
  public var poisonKept: Int
  /// Clean samples among the rejected ones.
  public var cleanRejected: Int
  /// Area under the ROC curve of the suspicion scores: the chance that a poisoned sample is more suspicious than a
  /// clean one.
  public var areaUnderROC: Double?

  /// Share of the poison that was rejected (TPR).
  public var truePositiveRate: Double? { share(poisonedCount - poisonKept, poisonedCount) }
  /// Share of the clean samples that was rejected (FPR).
  public var falsePositiveRate: Double? { share(cleanRejected, keptCount + rejectedCount - poisonedCount) }
  /// Poisoned samples among the rejected ones (the successful filtering rate).
  public var precision: Double? { share(rejectedCount - cleanRejected, rejectedCount) }
  /// Poisoned samples among the kept ones, as a share.
  public var poisonShareKept: Double? { share(poisonKept, keptCount) }

  /// - Parameters:
  ///   - rejected: positions in the training set; the rest was kept.
  ///   - suspicion: one value per training sample, higher is more suspicious; NaN counts as least suspicious.
  ///   - poisoned: positions of the poisoned samples.
  ///   - count: training samples in all.
  public init(rejected: [Int], suspicion: [Double]?, poisoned: some Collection<Int>, count: Int) {
    let poison = Set(poisoned)
    rejectedCount = rejected.count
    keptCount = count - rejected.count
    poisonedCount = poison.count
    cleanRejected = rejected.count { !poison.contains($0) }
    poisonKept = poison.count - (rejected.count - cleanRejected)
    areaUnderROC = suspicion.flatMap { Self.areaUnderROC($0, positives: poison) }
  }

  /// The Mann-Whitney statistic; ties count one half. nil where one of the groups is empty.
  static func areaUnderROC(_ scores: [Double], positives: Set<Int>) -> Double? {
    let scores = scores.map { $0.isNaN ? -.infinity : $0 }
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    let (positive, negative) = (positives.count, scores.count - positives.count)
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
