import Foundation
import Testing

@testable import Evaluation

/// Eleven samples, poison at 1, 4 and 7; 4, 7 and the clean 0, 2 and 9 are rejected.
@Suite struct DetectionMetricsTests {
  private let metrics = DetectionMetrics(
    rejected: [7, 2, 4, 9, 0], suspicion: nil, poisoned: [1, 4, 7], count: 11)

  @Test func countsAndRates() {
    #expect(
      metrics.keptCount == 6 && metrics.rejectedCount == 5 && metrics.poisonKept == 1 && metrics.cleanRejected == 3)
    #expect(metrics.poisonedCount == 3)
    #expect(metrics.truePositiveRate == 2.0 / 3)
    #expect(metrics.falsePositiveRate == 3.0 / 8)
    #expect(metrics.precision == 2.0 / 5)
    #expect(metrics.poisonShareKept == 1.0 / 6)
    #expect(metrics.areaUnderROC == nil)
  }

  /// Cover samples 2 and 5: with 2 rejected, no clean sample is.
  @Test func coversAreNeitherTrueNorFalsePositives() throws {
    let covered = DetectionMetrics(
      rejected: [7, 2, 4], suspicion: [0, 1, 9, 0, 5, 9, 0, 5, 2, 0], poisoned: [1, 4, 7], covers: [2, 5], count: 10)
    #expect(covered.coverCount == 2 && covered.coverRejected == 1 && covered.coverRejectedRate == 0.5)
    #expect(covered.cleanCount == 5 && covered.cleanRejected == 0 && covered.falsePositiveRate == 0)
    #expect(covered.truePositiveRate == 2.0 / 3 && covered.precision == 1)
    // Pairs of 1, 5, 5 with the clean 0, 0, 0, 2, 0: all but (1, 2).
    #expect(covered.areaUnderROC == 14.0 / 15)
    #expect(metrics.coverRejectedRate == nil)
    let text = try JSONEncoder().encode(covered)
    #expect(try JSONDecoder().decode(DetectionMetrics.self, from: text) == covered)
    #expect(String(decoding: text, as: UTF8.self).contains("\"precision\":1"))
    let old = #"{"keptCount":6,"rejectedCount":5,"poisonedCount":3,"poisonKept":1,"cleanRejected":3}"#
    #expect(try JSONDecoder().decode(DetectionMetrics.self, from: Data(old.utf8)) == metrics)
  }

  @Test func withoutPoisonOrWithoutRejectionThereIsNoRate() {
    let clean = DetectionMetrics(rejected: [0], suspicion: [1, 2], poisoned: [], count: 2)
    #expect(clean.truePositiveRate == nil && clean.falsePositiveRate == 0.5 && clean.areaUnderROC == nil)
    let all = DetectionMetrics(rejected: [], suspicion: nil, poisoned: [0], count: 1)
    #expect(all.precision == nil && all.falsePositiveRate == nil && all.truePositiveRate == 0)
  }

  /// Pairs (poisoned, clean): 3 > 1, 3 > 2, 3 = 3 (half), 2 > 1, 2 = 2 (half), 2 < 3: 4 of 6.
  @Test func areaUnderROCCountsTiesHalf() {
    #expect(DetectionMetrics.areaUnderROC([1, 3, 2, 2, 3], positives: [1, 3]) == 4.0 / 6)
    #expect(DetectionMetrics.areaUnderROC([0, 1], positives: [1]) == 1)
    #expect(DetectionMetrics.areaUnderROC([5, 5, 5], positives: [0]) == 0.5)
    #expect(DetectionMetrics.areaUnderROC([.nan, 0], positives: [0]) == 0)
  }

  @Test func areaUnderROCAgreesWithCountingPairs() {
    let scores = (0..<60).map { Double(($0 * 37) % 23) }
    let positives = Set((0..<60).filter { ($0 * 7) % 5 < 2 })
    var wins = 0.0
    for p in positives {
      for n in scores.indices where !positives.contains(n) {
        wins += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0
      }
    }
    let expected = wins / Double(positives.count * (60 - positives.count))
    #expect(abs(DetectionMetrics.areaUnderROC(scores, positives: positives)! - expected) < 1e-12)
  }
}
