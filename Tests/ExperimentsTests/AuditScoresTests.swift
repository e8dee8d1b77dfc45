import Audit
import Files
import Support
import TestFiles
import TestSupport
import Testing

@testable import Experiments

/// Finished audits against banks of finished audits; the numbers in them are written here.
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
      #expect(scores.groups.map(\.count) == [4, 2, 1] && scores.groups.map(\.bank) == [3, 4, 4])
      let group = scores.groups[1]
      #expect(group.suspicious.share == 0 && group.backdoored.share == 0.5 && group.aboveAll.share == 0.5)
      // Each clean model against the three others: p of 1/4, 2/4, 3/4 and 1, and one of them above all.
      #expect(scores.rows.prefix(4).map(\.pValue).sorted() == [0.25, 0.5, 0.75, 1])
      #expect(scores.groups[0].aboveAll.share == 0.25 && scores.groups[0].backdoored.share == 0)
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
      #expect(message("\(folder)/clean/0", "\(folder)/clean/0").contains("1 clean models"))
      try write("\(folder)/other", [1, 2, 3]) { $0.settings.starts = 3 }
      #expect(message("\(folder)/other", clean).contains("\(folder)/other: the audit has other settings"))
      try write("\(folder)/other", [1, 2, 3]) { $0.imageShape = [3, 9, 9] }
      #expect(message("\(folder)/other", clean).contains("3x9x9"))
      // Banks of audits that are not alike.
      let changes: [(String, (inout AuditResult) -> Void)] = [
        ("settings", { $0.settings.starts = 3 }), ("classes", { $0.classNames = ["cat", "dog", "fox"] }),
        ("size", { $0.imageShape = [3, 9, 9] }), ("--time", { $0.statistics.labels = [0, 1, 2] }),
      ]
      for (word, change) in changes {
        try write("\(folder)/clean/9", [1, 2, 3], change: change)
        let said = message("\(folder)/bad", clean)
        #expect(said.contains("\(folder)/clean/9") && said.contains(word), "\(said)")
      }
      for number in ["0", "1", "2", "3", "9"] { try write("\(clean)/\(number)", [1, 2, 3]) { $0.imageShape = nil } }
      #expect(message("\(folder)/bad", clean).contains("an earlier version"))
    }
  }
}
