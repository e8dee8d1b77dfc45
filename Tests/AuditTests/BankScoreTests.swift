import Foundation
import Support
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
    expectClose(score.score, try #require(golden["score"].double), tolerance: 1e-12)
    #expect(score.label == golden["label"].int && score.labels == [0, 1, 2])
    for (found, expected) in zip(score.cleanSums, try golden["clean_sums"].numbers()) {
      expectClose(found, expected, tolerance: 1e-12)
    }
    // One statistic alone is one part of the sum.
    let margin = BankScore(model, bank: bank, statistics: [.margin])
    for k in 0..<3 { expectClose(margin.sums[k], try #require(score.standardized["margin"])[k], tolerance: 1e-12) }
  }

  /// Models whose values have long tails, deviations of their class and a part that all classes share: whichever of them
  /// is the audited one, its p is as likely to be any of 1/(n+1), 2/(n+1), ..., 1.
  private func exchangeable(_ count: Int, classes: Int, _ random: inout some RandomNumberGenerator) -> [ClassStatistics]
  {
    func tailed() -> Double { pow(random.uniform(-1, 1), 3) * 4 }
    return (0..<count).map { _ in
      let shared = tailed()
      func values() -> [Double] { (0..<classes).map { k in Double(k) * 3 + shared + Double(k + 1) * tailed() } }
      return statistics(values(), values())
    }
  }

  @Test(arguments: [(3, 600), (4, 400), (9, 150), (19, 60)])
  func pIsUniformAmongExchangeableModels(bank: Int, trials: Int) {
    var random = Seed(7).generator("bank-\(bank)")
    var counts = Array(repeating: 0, count: bank + 2)
    for _ in 0..<trials {
      var models = exchangeable(bank + 1, classes: 3, &random)
      let model = models.removeLast()
      let p = BankScore(model, bank: models, statistics: [.margin, .patch]).pValue
      counts[Int((p * Double(bank + 1)).rounded())] += 1
    }
    // At most alpha of them at each level alpha, and no fewer, up to four deviations of the simulation.
    var rejected = 0.0
    for rank in 1...bank {
      rejected += Double(counts[rank]) / Double(trials)
      let alpha = Double(rank) / Double(bank + 1)
      #expect(abs(rejected - alpha) < 4 * (alpha * (1 - alpha) / Double(trials)).squareRoot(), "level \(alpha)")
    }
  }

  /// A model has the same score whether it is the audited one or one of the bank, so that the p-values of all n + 1
  /// choices of the audited model are 1/(n+1), 2/(n+1), ..., 1; the order of the bank plays no part.
  @Test func auditedAndCleanModelsAreScoredAlike() {
    var random = Seed(3).generator("models")
    let models = exchangeable(6, classes: 4, &random)
    let scores = models.indices.map { number in
      BankScore(
        models[number], bank: models.enumerated().filter { $0.offset != number }.map(\.element),
        statistics: [.margin, .patch])
    }
    for (number, score) in scores.enumerated() {
      var clean = score.cleanScores
      clean.insert(score.score, at: number)
      #expect(clean == scores.map(\.score))
    }
    #expect(scores.map(\.pValue).sorted() == (1...6).map { Double($0) / 6 })
    let turned = BankScore(models[0], bank: models.dropFirst().reversed(), statistics: [.margin, .patch])
    #expect(turned.cleanScores.reversed() == scores[0].cleanScores && turned.pValue == scores[0].pValue)
    // A model of the bank audited again ties with itself.
    let twice = BankScore(models[2], bank: models, statistics: [.margin, .patch])
    #expect(twice.cleanScores[2] == twice.score)
  }

  @Test func partsOfTheClassesEqualPython() throws {
    let all = try Golden("audit").settings
    let (golden, partial) = (all["score"], all["partial"])
    let bank = try zip(try golden["bank"][0].list(), try golden["bank"][1].list()).map {
      statistics(try $0.numbers(), try $1.numbers())
    }
    var model = statistics(try golden["model"][0].numbers(), try golden["model"][1].numbers())
    let whole = BankScore(model, bank: bank, statistics: [.margin, .patch])
    model.margin.remove(at: 1)
    model.patch.remove(at: 1)
    model.labels = [0, 2]
    let score = BankScore(model, bank: bank, statistics: [.margin, .patch])
    expectClose(score.score, try #require(partial["score"].double), tolerance: 1e-12)
    for (found, expected) in zip(score.cleanScores, try partial["clean"].numbers()) {
      expectClose(found, expected, tolerance: 1e-12)
    }
    #expect(
      score.pValue == partial["p"].double && score.label == partial["label"].int
        && score.labels == [0, 2])
    #expect(score.sums == [whole.sums[0], whole.sums[2]] && score.score <= whole.score)
  }

  /// Whichever classes are left out, the largest ones kept among them: a clean model is not called backdoored more
  /// often than the level says.
  @Test func leavingClassesOutDoesNotRaiseFalseAlarms() {
    var random = Seed(11).generator("parts")
    let trials = 1000
    var rejected = 0
    for _ in 0..<trials {
      var models = exchangeable(10, classes: 6, &random)
      var model = models.removeLast()
      let order = model.patch.indices.sorted {
        model.patch[$0] - Double($0) * 3 > model.patch[$1] - Double($1) * 3
      }
      let kept = order.prefix(2).sorted()
      (model.margin, model.patch) = (kept.map { model.margin[$0] }, kept.map { model.patch[$0] })
      model.labels = kept
      if BankScore(model, bank: models, statistics: [.margin, .patch]).pValue <= 0.2 {
        rejected += 1
      }
    }
    #expect(rejected > 0)
    #expect(Double(rejected) / Double(trials) < 0.2 + 4 * (0.2 * 0.8 / Double(trials)).squareRoot())
  }

  /// Of many classes the largest sums are shown, and the class that stands out among them.
  @Test func theClassThatStandsOutIsShown() {
    let clean = (0..<4).map { n in
      statistics([0, 1, 2, 3].map { $0 + Double(n) / 7 }, [5, 5, 5, 5].map { $0 - Double(n) / 9 })
    }
    // Class 3 has the largest value of all, and the smallest sum.
    let score = BankScore(statistics([2, 3, 4, 6], [6, 6, 6, -9]), bank: clean, statistics: [.margin, .patch])
    #expect(score.label == 3 && score.sums.indices.min { score.sums[$0] < score.sums[$1] } == 3)
    #expect(
      score.largestSums(2).last == 3 && score.largestSums(2).count == 2 && Set(score.largestSums(9)) == [0, 1, 2, 3])
  }

  @Test func deviationsAreHalfwayToThePooledOne() {
    let scale = BankScale([[1, 10], [3, 10], [5, 10]])
    #expect(scale.mean == [3, 10])
    // Sample variances 4 and 0: pooled sqrt(2).
    expectClose(scale.deviation[0], (2 + 2.0.squareRoot()) / 2, tolerance: 1e-12)
    expectClose(scale.deviation[1], 2.0.squareRoot() / 2, tolerance: 1e-12)
    // Where nothing varies, no distance counts.
    #expect(abs(BankScale([[1, 2], [1, 2]]).standardized([1, 5])[1]) < 1e-300)
    #expect(scale.standardized([10], labels: [1]) == [0])
  }

  @Test func intervalsEqualPython() throws {
    for row in try Golden("audit").settings["interval"].list() {
      let interval = ShareInterval(successes: try #require(row["k"].int), of: try #require(row["n"].int))
      expectClose(interval.lower, try #require(row["lower"].double), tolerance: 1e-9)
      expectClose(interval.upper, try #require(row["upper"].double), tolerance: 1e-9)
    }
  }
}
