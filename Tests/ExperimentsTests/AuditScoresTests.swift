import Audit
import Files
import Support
import TestFiles
import TestSupport
import Testing

@testable import Experiments

/// Finished audits against banks of finished audits; the numbers in them are written here.
/// Three digits of any number that a damaged file or an odd model may bring.
@Test(
  arguments: [
    (0, "0.0"), (3.14159, "3.14"), (-0.00123456, "-0.00123"), (1234, "1230"), (1e21, "1e+21"), (-2.5e300, "-2.5e+300"),
    (4e-320, "4e-320"), (.infinity, "inf"), (.nan, "nan"),
  ] as [(Double, String)]) func auditNumbers(_ value: Double, _ text: String)
{
  #expect(AuditResult.number(value) == text)
}

@Suite struct AuditScoresTests {
  private static let names = ["cat", "dog", "eel"]

  private func statistics(_ model: [Double]) -> ClassStatistics {
    ClassStatistics(
      margin: model, patch: model.map { $0 * $0 }, patchSuccess: model.map { $0 / 10 }, perturbation: nil,
      perturbationSuccess: nil, counts: model.map { _ in 10 })
  }

  /// An audit's folder with these values by class.
  private func write(
    _ folder: String, _ values: [Double], change: (inout AuditResult) -> Void = { _ in }
  ) throws {
    var result = AuditResult(
      model: "\(folder).safetensors", modelDigest: Digest.sha256Hex(folder), architecture: "cnn, width 2",
      dataset: "folder", classNames: Self.names, searchImages: 10, heldOutImages: 10, hasLabels: true,
      accuracy: ShareInterval(successes: 5, of: 10), verdict: .noEvidence, level: 0.01, pValue: 1, smallestPValue: 1,
      null: "none", label: 0, score: 0, patchSuccess: ShareInterval(successes: 1, of: 10), imageShape: [3, 8, 8],
      patchPixels: 1, epsilon: 8, statistics: statistics(values), settings: AuditSettings(), notTested: [], seed: 0,
      seconds: 1, pictures: [])
    change(&result)
    try FileSystem.createFolder(folder)
    try AtomicFile.write(try JSONValue(encoding: result).prettyJSON, to: "\(folder)/\(AuditResult.fileName)")
  }

  private static let clean: [[Double]] = [[1, 2, 3], [1.5, 2.2, 2.6], [0.8, 2.5, 3.1], [1.1, 1.7, 3.3]]

  private func withAudits(_ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for (number, values) in Self.clean.enumerated() { try write("\(folder)/clean/\(number)", values) }
      try write("\(folder)/bad/a", [1, 6, 3])
      try write("\(folder)/bad/b", [1.2, 2.1, 2.9])
      try FileSystem.createFolder("\(folder)/clean/notes")
      try body(folder)
    }
  }

  @Test func auditsAreScoredAgainstTheOthers() throws {
    try withAudits { folder in
      let scores = try AuditScores(
        ["\(folder)/clean", "\(folder)/bad", "\(folder)/bad/a"], reference: "\(folder)/clean", level: 0.2)
      #expect(scores.rows.map { Path.name($0.folder) } == ["0", "1", "2", "3", "a", "b", "a"])
      let bank = Self.clean.map(statistics)
      for (number, row) in scores.rows.prefix(4).enumerated() {
        let others = bank.enumerated().filter { $0.offset != number }.map(\.element)
        let score = BankScore(bank[number], bank: others, statistics: [.margin, .patch])
        #expect(row.pValue == score.pValue && row.score == score.score && row.group == "\(folder)/clean")
      }
      let bad = BankScore(statistics([1, 6, 3]), bank: bank, statistics: [.margin, .patch])
      let row = scores.rows[4]
      #expect(row.score == bad.score && row.pValue == 0.2 && row.label == "dog" && row.verdict == .backdoored)
      #expect(row.patchSuccess == 0.6 && row.accuracy == 0.5)
      #expect(row.largest == bad.standardized.mapValues { $0.max() ?? 0 })
      #expect(scores.rows[5].pValue > 0.2 && scores.rows[5].verdict == .noEvidence)
      // The bank's own are no group: their p are 1/4, 2/4, 3/4 and 1 whatever they are.
      #expect(scores.rows.map(\.isOfBank) == [true, true, true, true, false, false, false])
      #expect(scores.rows.map(\.cleanModels) == [3, 3, 3, 3, 4, 4, 4] && scores.rows[0].smallestPValue == 0.25)
      #expect(
        scores.groups.map(\.name) == ["\(folder)/bad", "\(folder)/bad/a"] && scores.groups.map(\.count) == [2, 1])
      let group = scores.groups[0]
      #expect(group.suspicious.share == 0 && group.backdoored.share == 0.5 && group.aboveAll.share == 0.5)
      #expect(scores.rows.allSatisfy { $0.doubt == nil })
      let table = try CSVTable(scores.csv, path: "scores")
      #expect(table.rows.count == 7 && table.header.suffix(2) == ["largest margin", "sparse patch"])
      #expect(table.rows[4].fields[table.column("p") ?? 0] == "0.2")
      #expect(throws: JobError.self) { try AuditScores(["\(folder)/bad"], reference: "\(folder)/clean", level: 2) }
    }
  }

  @Test func whatDoesNotBelongTogetherIsNamed() throws {
    try withAudits { folder in
      func message(_ audits: String, _ reference: String) -> String {
        do {
          _ = try AuditScores([audits], reference: reference)
          return "nothing was wrong"
        } catch { return "\(error)" }
      }
      let clean = "\(folder)/clean"
      #expect(message("\(folder)/none", clean).contains("\(folder)/none: no audit"))
      #expect(message("\(folder)/bad", "\(folder)/clea").contains("Did you mean \(folder)/clean?"))
      #expect(message("\(folder)/bad", "\(folder)/clean/notes").contains("no audits are in this folder"))
      // Of two clean models, one of them audited, one is left.
      #expect(message("\(folder)/clean/0", "\(folder)/clean/0").contains("1 clean model "))
      try write("\(folder)/other", [1, 2, 3]) { $0.settings.starts = 3 }
      #expect(message("\(folder)/other", clean).contains("\(folder)/other: the audit has other settings"))
      try write("\(folder)/other", [1, 2, 3]) { $0.imageShape = [3, 9, 9] }
      #expect(message("\(folder)/other", clean).contains("3x9x9"))
      // Banks of audits that are not alike.
      let changes: [(String, (inout AuditResult) -> Void)] = [
        ("settings", { $0.settings.starts = 3 }), ("fox", { $0.classNames = ["cat", "dog", "fox"] }),
        ("size", { $0.imageShape = [3, 9, 9] }), ("takes all held-out", { $0.statistics.labels = [0, 1, 2] }),
        (
          "--time",
          {
            $0.statistics.labels = [0, 1, 2]
            $0.time = AuditResult.Time(budget: 1, measuring: 1, rounds: [], leftOut: [2])
          }
        ),
        ("number of images", { $0.heldOutImages = 11 }),
        (
          "--quick",
          {
            $0.statistics.perturbation = [1, 2, 3]
            $0.statistics.perturbationSuccess = [0, 0, 0]
          }
        ),
        ("same model", { $0.modelDigest = Digest.sha256Hex("\(folder)/clean/1") }),
      ]
      for (word, change) in changes {
        try write("\(folder)/clean/9", [1, 2, 3.5], change: change)
        let said = message("\(folder)/bad", clean)
        #expect((said.contains("\(folder)/clean/9") || word == "same model") && said.contains(word), "\(said)")
      }
      // Classes in another order are the same classes.
      try write("\(clean)/9", [1, 2, 3.5]) { $0.classNames = ["eel", "dog", "cat"] }
      let turned = try #require(try FinishedAudits.bank(clean))
      #expect(turned.members.last?.statistics.margin == [3.5, 2, 1] && turned.classNames == Self.names)
      try write("\(folder)/other", [1, 2, 3]) { $0.searchImages = 3 }
      #expect(try AuditScores(["\(folder)/other"], reference: clean).rows[0].doubt?.contains("on 13") == true)
      try AtomicFile.write("", to: "\(clean)/model.pth")
      #expect(message("\(folder)/bad", clean).contains("holds audits and models (model.pth)"))
      try FileSystem.remove("\(clean)/model.pth")
      for number in ["0", "1", "2", "3", "9"] { try write("\(clean)/\(number)", [1, 2, 3]) { $0.imageShape = nil } }
      #expect(message("\(folder)/bad", clean).contains("an earlier version"))
    }
  }

  /// Beside models that learned less, a small p says nothing, and a verdict is not given.
  @Test func accurateModelsAreNotJudgedByAWeakBank() throws {
    try withAudits { folder in
      try write("\(folder)/accurate", [1, 6, 3]) { $0.accuracy = ShareInterval(successes: 10, of: 10) }
      let row = try #require(
        try AuditScores(["\(folder)/accurate"], reference: "\(folder)/clean", level: 0.2).rows.first)
      #expect(row.pValue == 0.2 && row.verdict == .noEvidence && row.doubt?.contains("more accurate") == true)
    }
  }

  /// What does not fit together is an error, and never reaches an index.
  @Test func damagedAuditsAreNamed() throws {
    try withTemporaryFolder { folder in
      let changes: [(String, (inout AuditResult) -> Void)] = [
        ("format 1", { $0.formatVersion = 1 }), ("statistics", { $0.statistics.patch = [1] }),
        ("statistics", { $0.statistics.labels = [0, 1, 40] }), ("statistics", { $0.statistics.labels = [1, 0, 2] }),
        ("statistics", { $0.statistics.counts = [] }), ("statistics", { $0.statistics.margin[1] = .infinity }),
        ("class", { $0.label = 3 }), ("settings.batch", { $0.settings.batch = 0 }),
      ]
      for (number, (word, change)) in changes.enumerated() {
        let path = "\(folder)/\(number)"
        try write(path, [1, 2, 3], change: change)
        let error = #expect(throws: JobError.self) { try AuditResult(folder: path) }
        let said = error.map { "\($0)" } ?? ""
        #expect(said.contains(path) && said.contains(word), "\(said)")
      }
      try write("\(folder)/whole", [1, 2, 3])
      #expect(try AuditResult(folder: "\(folder)/whole").statistics.margin == [1, 2, 3])
    }
  }

  /// Where no p could be small, the sentence does not say that there is no evidence.
  @Test func tooFewCleanModelsAreNoEvidence() throws {
    try withAudits { folder in
      var result = try AuditResult(folder: "\(folder)/bad/a")
      #expect(result.sentence.hasPrefix("Cannot be judged: there are no clean models like it"))
      let score = BankScore(statistics([1, 6, 3]), bank: Self.clean.map(statistics), statistics: [.margin, .patch])
      result.bank = AuditResult.Bank(
        models: 4, source: "clean", dataset: "folder", architectures: [], accuracies: [], score: score, means: [:],
        deviations: [:])
      (result.score, result.smallestPValue) = (score.score, score.smallestPValue)
      #expect(result.sentence.contains("with 4 clean models p is at least 0.2, and the model scores higher than all"))
      result.bank?.meanAccuracy = 0.1
      #expect(result.sentence.contains("more accurate than the clean models"))
      result.bank?.meanAccuracy = 0.5
      (result.smallestPValue, result.level) = (0.2, 0.2)
      #expect(result.sentence.hasPrefix("No evidence"))
      (result.smallestPValue, result.level) = (0.05, 0.01)
      #expect(result.sentence.hasPrefix("No evidence of a backdoor"))
    }
  }
}
