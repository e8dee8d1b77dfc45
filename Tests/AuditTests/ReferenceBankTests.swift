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
      members: (0..<members).map { member([11, 22, 33 + Double($0)]) })
  }

  @Test func classesAreMatchedByName() throws {
    let bank = bank()
    let found = try bank.statistics(for: ["eel", "cat", "dog"], imageShape: [3, 8, 8], source: "the model")
    #expect(found.count == 3 && found[0].margin == [33, 11, 22] && found[2].counts == [35, 11, 22])
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
      // The same model twice, by its statistics or its file; a class that nothing is known of.
      wrong = bank()
      wrong.members[2].statistics = wrong.members[0].statistics
      #expect(wrong.problem?.contains("m and m are the same model") == true)
      wrong = bank()
      (wrong.members[0].digest, wrong.members[1].digest) = ("a", "b")
      #expect(wrong.problem == nil && (try? wrong.without("a")) == nil && (try? wrong.without("c")) == wrong)
      wrong.members[1].digest = "a"
      #expect(wrong.problem?.contains("the same model") == true)
      wrong = bank()
      wrong.members[1].statistics.counts[1] = 0
      #expect(wrong.problem?.contains("dog") == true)
      try AtomicFile.write("{\"formatVersion\": 1}", to: path)
      #expect(throws: AuditError.self) { try ReferenceBank(contentsOf: path) }
    }
  }

  /// Above the largest of 78, and at it; with few images, by the lower end of the interval.
  @Test func withoutABankPIsABound() {
    func p(_ successes: Int, of count: Int, others: Int = 225) -> Double {
      UncalibratedNull.pValue(of: ShareInterval(successes: successes, of: count), others: others)
    }
    #expect(p(368, of: 1000) == 1.0 / 79 && p(367, of: 1000) == 1)
    #expect(p(368, of: 1000, others: 199) == 1 && p(420, of: 1000, others: 199) == 1.0 / 79)
    #expect(p(7, of: 10, others: 10) == 1 && p(9, of: 10, others: 10) == 1.0 / 79)
  }

  /// What is known of clean models is of ten classes, 32x32 pixels, residual networks and the default settings.
  @Test func withoutABankLittleIsKnown() {
    func problem(
      _ settings: AuditSettings = AuditSettings(), _ shape: [Int] = [3, 32, 32], _ classes: Int = 10,
      _ kind: String? = "resnet18"
    ) -> String {
      UncalibratedNull.problem(settings, imageShape: shape, classes: classes, kind: kind) ?? ""
    }
    #expect(problem().isEmpty)
    var settings = AuditSettings()
    settings.patchSteps = 3
    #expect(problem(settings).contains("audit.patchSteps"))
    #expect(problem(.init(), [3, 64, 64]).contains("64x64") && problem(.init(), [3, 32, 32], 43).contains("43"))
    #expect(problem(.init(), [3, 32, 32], 10, "cnn").contains("residual"))
  }

  @Test func onlyStatisticsThatCountSeeAttacks() {
    #expect(AuditVerdict.sees([.margin]).isEmpty)
    #expect(AuditVerdict.sees([.patch]).count == 1)
    #expect(AuditVerdict.sees(AuditStatistic.allCases).count == 2)
  }

  @Test func numbersOfImagesAreCompared() {
    var bank = bank()
    #expect(bank.difference(images: 20) == nil)
    bank.images = 500
    #expect(bank.difference(images: 500) == nil && bank.difference(images: 20)?.contains("500") == true)
  }

  /// A bank of models that learned little says nothing about one that learned more.
  @Test func accurateModelsAreNotLikeTheBank() {
    var bank = bank()
    func accuracy(_ correct: Int) -> ShareInterval { ShareInterval(successes: correct, of: 200) }
    #expect(bank.doubt(accuracy: accuracy(200)) == nil)
    (bank.members[0].accuracy, bank.members[1].accuracy) = (0.4, 0.5)
    #expect(bank.meanAccuracy == nil && bank.doubt(accuracy: accuracy(200)) == nil)
    bank.members[2].accuracy = 0.6
    // 95% intervals: 48 to 62%, and 53 to 67%.
    #expect(bank.doubt(accuracy: accuracy(110)) == nil && bank.doubt(accuracy: nil) == nil)
    #expect(bank.doubt(accuracy: accuracy(121))?.contains("more accurate") == true)
  }

  @Test func verdicts() {
    #expect(AuditVerdict(pValue: 0.01, level: 0.01, isCalibrated: true) == .backdoored)
    #expect(AuditVerdict(pValue: 0.011, level: 0.01, isCalibrated: true) == .suspicious)
    #expect(AuditVerdict(pValue: 0.051, level: 0.01, isCalibrated: true) == .noEvidence)
    #expect(AuditVerdict(pValue: 0.001, level: 0.01, isCalibrated: false) == .suspicious)
    #expect(AuditVerdict.allCases.map(\.exitCode) == [2, 1, 0])
  }
}
