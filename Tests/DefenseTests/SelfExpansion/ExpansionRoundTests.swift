@testable import Defenses
import Support
import TestSupport
import Testing
import Torch

/// A round's schedule and the rule by which it keeps samples.
@Suite struct ExpansionRoundTests {
  /// Worked by hand for 50,000 samples: p = 6000 / active, 2 + min(3, 1/p) iterations, 3p falling to p.
  @Test(arguments: Self.plans) func schedule(_ active: Int, _ expected: RoundPlan) {
    let plan = ExpansionSettings().plan(active: active, total: 50_000)
    expectClose(plan.p, expected.p, tolerance: 1e-12)
    #expect(plan.betas.count == expected.betas.count)
    for (found, beta) in zip(plan.betas, expected.betas) { expectClose(found, beta, tolerance: 1e-12) }
  }
  private static let threeSevenths: Double = 3.0 / 7.0
  private static let plans: [(Int, RoundPlan)] = [
    (50_000, RoundPlan(p: 0.12, betas: [0.36, 0.24, 0.12, 0.12, 0.12])),
    (20_000, RoundPlan(p: 0.3, betas: [0.9, 0.6, 0.3, 0.3, 0.3])),
    (14_000, RoundPlan(p: threeSevenths, betas: [1, 2 * threeSevenths, threeSevenths, threeSevenths])),
    (12_000, RoundPlan(p: 0.5, betas: [1, 1, 0.5, 0.5])),
    (8000, RoundPlan(p: 0.75, betas: [1, 1, 0.75])),
    (6000, RoundPlan(p: 1, betas: [1, 1, 1])),
    (2001, RoundPlan(p: 1, betas: [1, 1, 1])),
  ]

  @Test func scheduleIsAdjustable() {
    var settings = ExpansionSettings()
    settings.share = 0.25
    settings.betaStart = 2
    settings.betaIterations = 4
    settings.baseIterations = 1
    settings.extraIterations = 9
    #expect(settings.plan(active: 100, total: 100).betas == [0.5, 0.4375, 0.375, 0.3125, 0.25])
    settings.betaIterations = 0
    settings.extraIterations = 0
    #expect(settings.plan(active: 100, total: 100).betas == [0.25])
    settings.baseIterations = 0
    #expect(settings.plan(active: 100, total: 100).betas == [0.25], "a round has one iteration at least")
  }

  /// Two epochs (paper), eight and four (code), or what the user says.
  @Test func pacing() {
    var settings = ExpansionSettings()
    #expect((0..<3).map(settings.epochs) == [2, 2, 2])
    settings.pacing = .code
    #expect((0..<3).map(settings.epochs) == [8, 4, 4])
    settings.laterEpochs = 1
    #expect((0..<3).map(settings.epochs) == [8, 1, 1])
    settings.firstEpochs = 3
    #expect((0..<3).map(settings.epochs) == [3, 1, 1])
  }

  @Test func quotas() {
    #expect(
      Trimming.count(0.12, of: 50_000) == 6000 && Trimming.count(0.25, of: 10) == 3 && Trimming.count(0.24, of: 10) == 2
    )
    #expect(Trimming.count(1e-6, of: 10) == 1 && Trimming.count(1, of: 10) == 10 && Trimming.count(0.5, of: 0) == 0)
  }

  /// By hand: the easiest two of six are 1 and 3, both of class 0; class 1's easiest is 4, class 2's is 5.
  @Test func keepsTheEasiestAndSomeOfEachClass() {
    let losses: [Float] = [0.5, 0.1, 0.9, 0.2, 0.6, 0.7]
    let labels = [0, 0, 1, 0, 1, 2]
    #expect(Trimming.kept(losses: losses, labels: labels, beta: 1.0 / 3, classShare: 0.3) == [1, 3, 4, 5])
    // Half of each class: 3/2 rounds to 2 of class 0, 1 of class 1, 1/2 to 1 of class 2.
    #expect(Trimming.kept(losses: losses, labels: labels, beta: 1e-9, classShare: 0.5) == [1, 3, 4, 5])
    #expect(Trimming.kept(losses: losses, labels: labels, beta: 0.5, classShare: 1) == Array(0..<6))
    #expect(Trimming.kept(losses: losses, labels: labels, beta: 1, classShare: 0.01) == Array(0..<6))
  }

  /// Of equal losses the earlier sample stays; a share is met exactly.
  @Test func ties() {
    #expect(Trimming.kept(losses: [1, 1, 1, 1], labels: [0, 0, 0, 0], beta: 0.5, classShare: 0.25) == [0, 1])
    #expect(Trimming.kept(losses: [2, 1, 1, 1], labels: [0, 0, 1, 1], beta: 0.25, classShare: 0.5) == [1, 2])
  }

  /// Whole rounds against an independent implementation: quantiles by `kthvalue`, running means in numpy.
  @Test(arguments: Golden.cases("ispl")) func agrees(_ name: String) throws {
    let golden = try Golden("ispl").settings(of: name)
    let active = try #require(golden["active"].int)
    let total = try #require(golden["total"].int)
    let eta = try #require(golden["eta"].double)
    var settings = ExpansionSettings()
    settings.share = try #require(golden["share"].double)
    let plan = settings.plan(active: active, total: total)
    expectClose(plan.p, try #require(golden["p"].double), tolerance: 1e-12)
    #expect(plan.betas.count == golden["betas"].doubles.count && plan.betas.count == golden["steps"].array.count)
    var running = Tensor.zeros([active])
    for (iteration, step) in golden["steps"].array.enumerated() {
      expectClose(plan.betas[iteration], golden["betas"][iteration].double ?? -1, tolerance: 1e-12)
      running = ComponentSearch.running(mean: running, losses: Tensor(step["loss"].doubles.map(Float.init)), eta: eta)
      expectClose(running, Tensor(step["running"].doubles.map(Float.init)), tolerance: 1e-6)
      let kept = Trimming.kept(
        losses: running.array(Float.self), labels: golden["labels"].ints, beta: plan.betas[iteration],
        classShare: plan.p / settings.classDivisor)
      #expect(kept == step["kept"].ints, "\(name), iteration \(iteration)")
    }
  }
}
