import Files
import TestFiles
import Testing
import Vision

@testable import Audit

@Suite struct ReferenceBankTests {
  private func member(_ values: [Double]) -> ReferenceBank.Member {
    ReferenceBank.Member(
      name: "m", architecture: "cnn, width 2",
      statistics: ClassStatistics(
        margin: values, patch: values, patchSuccess: values, perturbation: values, perturbationSuccess: values,
        counts: values.map { Int($0) }))
  }
  private func bank(_ members: Int = 3) -> ReferenceBank {
    ReferenceBank(
      settings: AuditSettings(), dataset: "folder", classNames: ["cat", "dog", "eel"], imageShape: [3, 8, 8],
      members: (0..<members).map { _ in member([11, 22, 33]) })
  }

  @Test func classesAreMatchedByName() throws {
    let bank = bank()
    let found = try bank.statistics(for: ["eel", "cat", "dog"], imageShape: [3, 8, 8], source: "the model")
    #expect(found.count == 3 && found[0].margin == [33, 11, 22] && found[2].counts == [33, 11, 22])
    #expect(found[0].patch == [33, 11, 22] && found[0].perturbation == [33, 11, 22])
    #expect(throws: ClassNameError.self) {
      try bank.statistics(for: ["eel", "cat", "cow"], imageShape: [3, 8, 8], source: "the model")
    }
    #expect(throws: AuditError.self) {
      try bank.statistics(for: ["cat", "dog", "eel"], imageShape: [1, 8, 8], source: "the model")
    }
  }

  @Test func filesAreRead() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/bank.json"
      try bank().write(to: path)
      #expect(try ReferenceBank(contentsOf: path) == bank())
      // Too few, values of another number of classes, and no bank at all.
      try bank(2).write(to: path)
      #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
      var wrong = bank()
      wrong.members[1].statistics.patch = [1]
      try wrong.write(to: path)
      #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
      // Counts of another number of classes; settings that nothing could have been measured with.
      wrong = bank()
      wrong.members[2].statistics.counts = [1]
      try wrong.write(to: path)
      #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
      wrong = bank()
      wrong.settings.batch = 0
      try wrong.write(to: path)
      let error = #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
      #expect(error.map { "\($0)".contains(path) && "\($0)".contains("settings.batch") } == true)
      try AtomicFile.write("{\"formatVersion\": 1}", to: path)
      #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
    }
  }

  /// Above the largest of 38, and at it.
  @Test func withoutABankPIsABound() {
    #expect(UncalibratedNull.pValue(of: 0.352) == 1.0 / 39)
    #expect(UncalibratedNull.pValue(of: 0.351) == 1)
  }

  @Test func verdicts() {
    #expect(AuditVerdict(pValue: 0.01, level: 0.01, isCalibrated: true) == .backdoored)
    #expect(AuditVerdict(pValue: 0.011, level: 0.01, isCalibrated: true) == .suspicious)
    #expect(AuditVerdict(pValue: 0.051, level: 0.01, isCalibrated: true) == .noEvidence)
    #expect(AuditVerdict(pValue: 0.001, level: 0.01, isCalibrated: false) == .suspicious)
    #expect(AuditVerdict.allCases.map(\.exitCode) == [2, 1, 0])
  }
}
