import Evaluation
import TestSupport
import Testing

/// The paper's definitions on predictions worked by hand (`make_risks.py` has the sets in words).
@Suite struct RisksTests {
  private func risks(_ name: String) throws -> (risks: Risks, expected: JSON) {
    let c = try Golden("risks").settings(of: name)
    let candidates = RiskPredictions.Candidates(
      c["adversarial"].array.map(\.ints), reference: c["adversarial_bd"].array.map(\.ints))
    let predictions = RiskPredictions(
      labels: c["labels"].ints, poisoned: c["poisoned"].array.map(\.ints),
      poisonedReference: c["poisoned_bd"].array.map(\.ints),
      adversarial: candidates, universal: candidates, targeted: candidates)
    // As the evaluator gives them: nil for samples of the target class.
    let targets = c["targets"].ints.map { target in c["labels"].ints.map { $0 == target ? nil : target } }
    return (Risks(predictions, targets: targets), c["expected"])
  }

  @Test(arguments: Golden.cases("risks")) func agrees(_ name: String) throws {
    let (found, expected) = try risks(name)
    func share(_ key: String) -> Double? {
      let parts = expected[key].ints
      return parts.count == 2 ? Double(parts[0]) / Double(parts[1]) : nil
    }
    let values = [
      "backdoor": found.backdoor, "adversarial": found.adversarial, "shared": found.shared, "sub": found.sub,
      "universal": found.universal, "universal_sub": found.universalSub, "targeted": found.targeted,
      "targeted_sub": found.targetedSub,
    ]
    #expect(expected.keys.sorted() == values.keys.sorted())
    for (key, value) in values { #expect(value == share(key), "\(key)") }
    let aimed = expected["backdoor"].ints.last ?? 0
    #expect(found.aimedCount == aimed && found.count == expected["shared"].ints.last)
  }

  /// With the trigger among the candidates the bounds of propositions 3, A.4.1, A.5.1 and A.5.2 hold.
  @Test func bounds() throws {
    let (found, _) = try risks("two_candidates")
    let (backdoor, sub, adversarial) = (
      try #require(found.backdoor), try #require(found.sub), try #require(found.adversarial)
    )
    #expect(backdoor <= sub && sub <= adversarial)
    let (universalSub, universal) = (try #require(found.universalSub), try #require(found.universal))
    #expect(backdoor <= universalSub && universalSub <= universal && universal <= adversarial)
    let (targetedSub, targeted) = (try #require(found.targetedSub), try #require(found.targeted))
    #expect(backdoor <= targetedSub && targetedSub <= targeted && targeted <= adversarial && targetedSub <= sub)
  }

  /// A perturbation for all is one row; the worst of each image mixes the rows.
  @Test func oneForAllIsNotTheWorstOfEach() {
    let candidates = RiskPredictions.Candidates([[9, 1, 2], [0, 9, 9]], reference: [[9, 1, 2], [0, 1, 9]])
    let found = Risks(
      RiskPredictions(labels: [0, 1, 2], adversarial: candidates, universal: candidates), targets: [[5, 5, 5]])
    #expect(found.adversarial == 1 && found.universal == 2.0 / 3)
    #expect(found.targeted == nil && found.targetedSub == nil && found.backdoor == nil)
  }

  /// Appendix A.6: one trigger that works is enough for the attack, and one that fails on the reference takes the
  /// sample out of D_s.
  @Test func theWorstTriggerCounts() {
    let found = Risks(
      RiskPredictions(
        labels: [1, 1, 1, 1], poisoned: [[0, 1, 1, 1], [1, 1, 2, 1]],
        poisonedReference: [[0, 0, 0, 0], [2, 2, 1, 2]],
        adversarial: .init([[3, 3, 3, 1]], reference: [[3, 2, 2, 1]])), targets: [[0, 0, 0, 0], [2, 2, 2, 2]])
    #expect(found.backdoor == 2.0 / 4)
    #expect(found.sub == 2.0 / 4, "the first is shared, the third is outside D_s")
  }

  /// To agree on the true label is no shared example; neither is to be misled apart, nor by different perturbations.
  @Test func agreementOnTheTruthIsNoRisk() {
    let found = Risks(
      RiskPredictions(
        labels: [0, 1, 2, 3], poisoned: [[0, 0, 0, 0]], poisonedReference: [[0, 0, 0, 0]],
        adversarial: .init([[0, 1, 0, 1], [0, 1, 2, 3]], reference: [[0, 1, 1, 3], [0, 1, 0, 1]])),
      targets: [[nil, 0, 0, 0]])
    #expect(found.shared == 0 && found.sub == 0)
    #expect(found.adversarial == 2.0 / 3 && found.backdoor == 1)
  }

  /// Without an attack there is nothing to aim at; the shared risk needs no target.
  @Test func withoutATrigger() {
    let found = Risks(
      RiskPredictions(
        labels: [0, 1, 1], adversarial: .init([[1, 1, 0]], reference: [[1, 0, 1]])), targets: [])
    #expect(found.backdoor == nil && found.adversarial == nil && found.sub == nil && found.universal == nil)
    #expect(found.shared == 1.0 / 3 && found.aimedCount == 0 && found.count == 3)
  }
}
