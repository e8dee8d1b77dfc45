import Evaluation
import TestSupport
import Testing

/// The paper's definitions on predictions worked by hand (`make_risks.py` has the sets in words).
@Suite struct RisksTests {
  private func risks(_ name: String) throws -> (risks: Risks, expected: JSON) {
    let c = try Golden("risks").settings(of: name)
    let predictions = RiskPredictions(
      labels: c["labels"].ints, poisoned: c["poisoned"].ints, poisonedReference: c["poisoned_bd"].ints,
      adversarial: c["adversarial"].array.map(\.ints), adversarialReference: c["adversarial_bd"].array.map(\.ints))
    // As the evaluator gives them: nil for samples of the target class.
    let targets = c["labels"].ints.map { label in c["target"].int.flatMap { $0 == label ? nil : $0 } }
    return (Risks(predictions, targets: targets), c["expected"])
  }

  @Test(arguments: Golden.cases("risks")) func agrees(_ name: String) throws {
    let (found, expected) = try risks(name)
    func share(_ key: String) -> Double? {
      let parts = expected[key].ints
      return parts.count == 2 ? Double(parts[0]) / Double(parts[1]) : nil
    }
    #expect(expected.keys.contains("backdoor"))
    #expect(found.backdoor == share("backdoor"))
    #expect(found.adversarial == share("adversarial"))
    #expect(found.shared == share("shared"))
    #expect(found.sub == share("sub"))
  }

  /// Proposition 1 and 2: with the trigger among the candidates, backdoor <= sub <= adversarial.
  @Test func bounds() throws {
    let (found, _) = try risks("two_candidates")
    let (backdoor, sub, adversarial) = (
      try #require(found.backdoor), try #require(found.sub), try #require(found.adversarial)
    )
    #expect(backdoor <= sub && sub <= adversarial)
  }

  /// To agree on the true label is no shared example; neither is to be misled apart, nor by different perturbations.
  @Test func agreementOnTheTruthIsNoRisk() {
    let found = Risks(
      RiskPredictions(
        labels: [0, 1, 2, 3], poisoned: [0, 0, 0, 0], poisonedReference: [0, 0, 0, 0],
        adversarial: [[0, 1, 0, 1], [0, 1, 2, 3]],
        adversarialReference: [[0, 1, 1, 3], [0, 1, 0, 1]]), targets: [nil, 0, 0, 0])
    #expect(found.shared == 0 && found.sub == 0)
    #expect(found.adversarial == 2.0 / 3 && found.backdoor == 1)
  }

  /// Without an attack there is nothing to aim at; the shared risk needs no target.
  @Test func withoutATrigger() {
    let found = Risks(
      RiskPredictions(
        labels: [0, 1], poisoned: [], poisonedReference: [], adversarial: [[1, 1]], adversarialReference: [[1, 0]]),
      targets: [nil, nil])
    #expect(found.backdoor == nil && found.adversarial == nil && found.sub == nil)
    #expect(found.shared == 0.5)
  }
}
