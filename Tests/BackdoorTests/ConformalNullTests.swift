import Backdoor
import Support
import Testing

@Suite struct ConformalNullTests {
  @Test func pCountsCleanValuesThatAreAsLarge() {
    let null = ConformalNull([3, 1, 2])
    #expect(null.pValue(of: 9) == 0.25 && null.smallestPValue == 0.25)
    #expect(null.pValue(of: 2) == 0.75 && null.pValue(of: 2.5) == 0.5)
    #expect(null.pValue(of: 0) == 1 && ConformalNull([]).pValue(of: 1) == 1)
    #expect(ConformalNull([1, 1, 1, 0]).pValue(of: 1) == 0.8)
  }

  /// The paper's own example, section 4 (15 p-values): at .05 Bonferroni rejects three, and its procedure four.
  @Test func rejectionsEqualThePapersExample() {
    let p = [
      0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
      1.0,
    ]
    #expect(ConformalNull.rejected(p, level: 0.05) == [0, 1, 2, 3])
    #expect(ConformalNull.rejected(p.reversed(), level: 0.05) == [11, 12, 13, 14])
    // Equal p-values go together, and a large one does not save those before it.
    #expect(ConformalNull.rejected([0.04, 0.9, 0.04, 0.04], level: 0.06) == [0, 2, 3])
    #expect(ConformalNull.rejected([0.04, 0.9, 0.04, 0.04], level: 0.05) == [])
    #expect(ConformalNull.rejected([], level: 0.5) == [])
  }

  /// Of 80 clean and 20 suspicious cases, beside 100 clean ones: the mean share of clean cases among the rejected ones
  /// stays below the level.
  @Test func falseDiscoveriesAreControlled() {
    var random = Seed(5).generator("cases")
    let trials = 200
    var (share, found) = (0.0, 0)
    for _ in 0..<trials {
      let null = ConformalNull((0..<100).map { _ in random.normal() })
      let cases = (0..<100).map { random.normal() + ($0 < 20 ? 4 : 0) }
      let rejected = ConformalNull.rejected(cases.map(null.pValue), level: 0.2)
      found += rejected.count { $0 < 20 }
      if !rejected.isEmpty { share += Double(rejected.count { $0 >= 20 }) / Double(rejected.count) }
    }
    // The level times the clean share, and three deviations of a mean of shares whose own deviation is near .1.
    #expect(share / Double(trials) < 0.2 * 0.8 + 3 * 0.1 / Double(trials).squareRoot())
    #expect(Double(found) / Double(trials) > 16)
  }
}
