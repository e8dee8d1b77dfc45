@testable import Defenses
import Support
import TestSupport
import Testing
import Torch

/// A round's schedule and the rule by which it keeps samples.
@Suite struct ExpansionRoundTests {
  /// Worked by hand for 50,000 samples: p = 6000 / active, 2 + min(3, 1/p) iterations, 3p falling to p.
  @Test(arguments: Self.plans) func schedule(_ active: Int, _ expected: (p: Double, betas: [Double])) {
    let plan = ExpansionSettings().plan(active: active, total: 50_000)
    expectClose(plan.p, expected.p, tolerance: 1e-12)
    #expect(plan.betas.count == expected.betas.count)
    for (found, beta) in zip(plan.betas, expected.betas) { expectClose(found, beta, tolerance: 1e-12) }
    #expect(plan.classShares == plan.betas.map { _ in plan.p / 8 })
  }

  /// The authors' code has the same number of iterations; the kept share begins at as many p as there are extra ones, a
  /// class keeps beta/8, and the rest of the set is a component as it is.
  @Test func scheduleOfTheCode() {
    var settings = ExpansionSettings()
    settings.pacing = .code
    func factors(_ active: Int) -> [Double] {
      let plan = settings.plan(active: active, total: 50_000)
      #expect(plan.classShares == plan.betas.map { $0 / 8 })
      return plan.betas.map { ($0 / plan.p * 1e6).rounded() / 1e6 }
    }
    #expect(factors(50_000) == [3, 2, 1, 1, 1] && factors(20_000) == [3, 2, 1, 1, 1])
    #expect(factors(14_000) == [2, 1, 1, 1] && factors(12_000) == [2, 1, 1, 1])
    #expect(factors(8000) == [1, 1, 1] && factors(6000) == [] && factors(6005) == [])
  }

  /// A share alpha of the subset, drawn without replacement; in the code's rounds half of the whole set or all that is
  /// left at first, and later each sample by itself.
  @Test func draws() {
    let subset = Tensor.arange(100..<1100)
    func drawn(_ settings: ExpansionSettings, _ iteration: Int, _ isWhole: Bool) -> [Int64] {
      settings.draw(subset, iteration: iteration, isWhole: isWhole, Generator(seed: 3)).array(Int64.self)
    }
    var settings = ExpansionSettings()
    #expect(drawn(settings, 0, true).count == 250 && drawn(settings, 2, false).count == 250)
    settings.pacing = .code
    let (half, all, later) = (drawn(settings, 0, true), drawn(settings, 0, false), drawn(settings, 1, false))
    #expect(all == subset.array(Int64.self))
    #expect(abs(half.count - 500) < 60 && abs(later.count - 250) < 50 && later.count != 250)
    settings.alpha = 1e-6
    #expect(drawn(settings, 1, false).count == 1, "one at least")
    for sample in [half, later] { #expect(Set(sample).count == sample.count && sample.allSatisfy { $0 >= 100 }) }
  }
  private static let threeSevenths: Double = 3.0 / 7.0
  private static let plans: [(Int, (p: Double, betas: [Double]))] = [
    (50_000, (0.12, [0.36, 0.24, 0.12, 0.12, 0.12])),
    (20_000, (0.3, [0.9, 0.6, 0.3, 0.3, 0.3])),
    (14_000, (threeSevenths, [1, 2 * threeSevenths, threeSevenths, threeSevenths])),
    (12_000, (0.5, [1, 1, 0.5, 0.5])),
    (8000, (0.75, [1, 1, 0.75])),
    (6000, (1, [1, 1, 1])),
    (2001, (1, [1, 1, 1])),
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
    let (betas, steps) = (try golden["betas"].numbers(), try golden["steps"].list())
    try #require(plan.betas.count == betas.count && plan.betas.count == steps.count)
    var running = Tensor.zeros([active])
    for (iteration, step) in steps.enumerated() {
      expectClose(plan.betas[iteration], betas[iteration], tolerance: 1e-12)
      running = ComponentSearch.running(
        mean: running, losses: Tensor(try step["loss"].numbers().map(Float.init)), eta: eta)
      expectClose(running, Tensor(try step["running"].numbers().map(Float.init)), tolerance: 1e-6)
      let kept = Trimming.kept(
        losses: running.array(Float.self), labels: golden["labels"].ints, beta: plan.betas[iteration],
        classShare: plan.p / settings.classDivisor)
      #expect(kept == step["kept"].ints, "\(name), iteration \(iteration)")
    }
  }
}
