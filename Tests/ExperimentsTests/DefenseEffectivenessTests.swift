import Testing

@testable import Experiments

struct DefenseEffectivenessTests {
  @Test(arguments: [
    // accuracy before, attack success before, accuracy after, attack success after, rating
    (0.932, 0.981, 0.925, 0.009, 0.9825),  // (.972 - .007 + 1) / 2
    (0.9, 1.0, 0.9, 0.0, 1.0),  // a full cure at no cost
    (0.9, 1.0, 0.9, 1.0, 0.5),  // no effect
    (1.0, 0.0, 0.0, 0.0, 0.0),  // damage only
    (0.9, 0.8, 0.95, 0.3, 0.75),  // a gain of accuracy does not count: (.5 - 0 + 1) / 2
    (0.9, 0.3, 0.8, 0.7, 0.45),  // nor does a rise of attack success count against it: (0 - .1 + 1) / 2
  ])
  func handWorked(
    accuracyBefore: Double, rateBefore: Double, accuracyAfter: Double, rateAfter: Double, expected: Double
  ) {
    let rating = DefenseEffectiveness.rating(
      accuracyBefore: accuracyBefore, attackSuccessRateBefore: rateBefore, accuracyAfter: accuracyAfter,
      attackSuccessRateAfter: rateAfter)
    #expect(abs(rating - expected) < 1e-12)
  }

  @Test func notANumberStaysSo() {
    for position in 0..<4 {
      var values = [0.9, 0.9, 0.9, 0.1]
      values[position] = .nan
      let rating = DefenseEffectiveness.rating(
        accuracyBefore: values[0], attackSuccessRateBefore: values[1], accuracyAfter: values[2],
        attackSuccessRateAfter: values[3])
      #expect(rating.isNaN)
    }
  }

  @Test func measurementsWithoutAnAttackHaveNone() {
    let before = RunRecord.Measurement(label: "before", accuracy: 0.9, cleanCount: 100, attackSuccessRate: 1)
    let after = RunRecord.Measurement(label: "after", accuracy: 0.8, cleanCount: 100)
    #expect(DefenseEffectiveness.rating(before: before, after: after) == nil)
    #expect(DefenseEffectiveness.rating(before: before, after: before) == 0.5)
  }
}
