import TestSupport
import Testing

@testable import Audit

@Suite struct BankScoreTests {
  /// Statistics of which `margin` and `patch` are given.
  private func statistics(_ margin: [Double], _ patch: [Double]) -> ClassStatistics {
    ClassStatistics(
      margin: margin, patch: patch, patchSuccess: patch.map { _ in 0 }, perturbation: nil, perturbationSuccess: nil,
      counts: patch.map { _ in 10 })
  }

  @Test func equalsPython() throws {
    let golden = try Golden("audit").settings["score"]
    let (margins, patches) = (try golden["bank"][0].list(), try golden["bank"][1].list())
    let bank = try zip(margins, patches).map { statistics(try $0.numbers(), try $1.numbers()) }
    let model = statistics(try golden["model"][0].numbers(), try golden["model"][1].numbers())
    let score = BankScore(model, bank: bank, statistics: [.margin, .patch])
    let sums = try golden["sums"].numbers()
    for (found, expected) in zip(score.sums, sums) { expectClose(found, expected, tolerance: 1e-12) }
    for (found, expected) in zip(score.cleanScores, try golden["clean"].numbers()) {
      expectClose(found, expected, tolerance: 1e-12)
    }
    #expect(score.cleanScores.count == 5 && score.pValue == golden["p"].double)
    #expect(score.score == score.sums.max() && score.sums[score.label] == score.score)
    // One statistic alone is one part of the sum.
    let margin = BankScore(model, bank: bank, statistics: [.margin])
    for k in 0..<3 { expectClose(margin.sums[k], try #require(score.standardized["margin"])[k], tolerance: 1e-12) }
  }

  @Test func deviationsAreHalfwayToThePooledOne() {
    let scale = BankScale([[1, 10], [3, 10], [5, 10]])
    #expect(scale.mean == [3, 10])
    // Sample variances 4 and 0: pooled sqrt(2).
    expectClose(scale.deviation[0], (2 + 2.0.squareRoot()) / 2, tolerance: 1e-12)
    expectClose(scale.deviation[1], 2.0.squareRoot() / 2, tolerance: 1e-12)
    #expect(BankScale([[1], [1]]).standardized([1]) == [0])
  }

  @Test func pIsNeverBelowOneOverNPlusOne() {
    #expect(BankScore.conformal(9, among: [1, 2, 3]) == 0.25)
    #expect(BankScore.conformal(2, among: [1, 2, 3]) == 0.75)
    #expect(BankScore.conformal(0, among: [1, 2, 3]) == 1)
  }

  @Test func intervalsEqualPython() throws {
    for row in try Golden("audit").settings["interval"].list() {
      let interval = ShareInterval(successes: try #require(row["k"].int), of: try #require(row["n"].int))
      expectClose(interval.lower, try #require(row["lower"].double), tolerance: 1e-9)
      expectClose(interval.upper, try #require(row["upper"].double), tolerance: 1e-9)
    }
  }
}
