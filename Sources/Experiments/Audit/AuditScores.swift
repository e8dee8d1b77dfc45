public import Audit
import Files

/// Scores of finished audits against clean models, and how many of each group stand out: what `antidote audit score`
/// prints. Nothing is measured again, so a larger bank, or one of other models, can be tried on audits that are there.
public struct AuditScores: Codable, Sendable {
  /// One audit.
  public struct Row: Codable, Sendable {
    /// The folder that was given; one that holds several audits is a group of them.
    public var group: String
    public var folder: String
    public var model: String
    public var architecture: String
    /// In [0, 1] on held-out images; nil without labels.
    public var accuracy: Double?
    public var verdict: AuditVerdict
    public var pValue: Double
    public var smallestPValue: Double
    /// Clean models that it was compared with; one fewer than the bank has where it is one of them.
    public var cleanModels: Int
    public var isOfBank: Bool
    public var score: Double
    /// The class that stands out.
    public var label: String
    /// Share of the held-out images of other classes that its patch sends there.
    public var patchSuccess: Double?
    /// The largest standardised value of each statistic.
    public var largest: [String: Double]
    /// What makes p doubtful; nil if nothing is known.
    public var doubt: String?
  }

  /// The audits of a folder that are not of the bank, together. The bank's own have p of 1/n, 2/n, ..., 1 whatever they
  /// are, which says nothing about how often p is small for clean models.
  public struct Group: Codable, Sendable {
    public var name: String
    public var count: Int
    /// Share with p at most `AuditVerdict.suspiciousLevel`, and at most the level, against this bank.
    public var suspicious: ShareInterval
    public var backdoored: ShareInterval
    /// Share with a higher score than every clean model.
    public var aboveAll: ShareInterval
  }

  public var reference: String
  public var level: Double
  public var rows: [Row]
  public var groups: [Group]

  /// - Parameters:
  ///   - folders: those of audits, or folders that hold such folders.
  ///   - reference: a bank's file, or a folder with audits of clean models. A model that is one of them is compared with
  ///     the others.
  ///   - level: models with p at most this are called backdoored.
  /// - Throws: `JobError`, `AuditError`, `ClassNameError` or `FileError`, which name the folder.
  public init(_ folders: [String], reference: String, level: Double = 0.01) throws {
    guard (0...1).contains(level) else { throw JobError.invalid("--level is a share between 0 and 1, not \(level).") }
    guard let bank = try FinishedAudits.bank(reference) else {
      throw JobError.invalid(
        "\(reference): no audits are in this folder. --reference takes a bank that antidote audit calibrate wrote, or a "
          + "folder with audits of clean models (antidote audit --out).")
    }
    (self.reference, self.level, rows, groups) = (reference, level, [], [])
    for group in folders {
      let audits = FileSystem.isFolder(group) ? try FinishedAudits.folders(in: group) : []
      guard !audits.isEmpty else {
        throw JobError.invalid(
          "\(group): no audit. Name a folder that antidote audit --out wrote, or one that holds such folders.")
      }
      let scored = try audits.map { try Self.row($0, group: group, bank, level: level) }
      rows += scored
      let others = scored.filter { !$0.isOfBank }
      func share(_ condition: (Row) -> Bool) -> ShareInterval {
        ShareInterval(successes: others.count(where: condition), of: others.count)
      }
      guard !others.isEmpty else { continue }
      groups.append(
        Group(
          name: group, count: others.count, suspicious: share { $0.pValue <= AuditVerdict.suspiciousLevel },
          backdoored: share { $0.pValue <= level }, aboveAll: share { $0.pValue <= $0.smallestPValue }))
    }
  }

  private static func row(
    _ folder: String, group: String, _ bank: ReferenceBank, level: Double
  ) throws -> Row {
    let audit = try AuditResult(folder: folder)
    guard audit.settings == bank.settings else {
      throw JobError.invalid(
        "\(folder): the audit has other settings (audit...) than the bank's models. Audit the model with the bank: "
          + "antidote audit --reference.")
    }
    let isOfBank = bank.members.contains { $0.digest == audit.modelDigest }
    let others = isOfBank ? try bank.without(audit.modelDigest) : bank
    let clean = try others.statistics(
      for: audit.classNames, imageShape: audit.imageShape ?? bank.imageShape, source: folder)
    let statistics = AuditStatistic.common(audit.statistics, clean)
    let score = BankScore(audit.statistics, bank: clean, statistics: statistics)
    let accuracyDoubt = others.doubt(accuracy: audit.accuracy)
    return Row(
      group: group, folder: folder, model: audit.model, architecture: audit.architecture,
      accuracy: audit.accuracy?.share,
      verdict: accuracyDoubt == nil
        ? AuditVerdict(pValue: score.pValue, level: level, isCalibrated: true) : .noEvidence, pValue: score.pValue,
      smallestPValue: score.smallestPValue, cleanModels: clean.count, isOfBank: isOfBank, score: score.score,
      label: audit.classNames[score.label],
      patchSuccess: audit.statistics.place(of: score.label).map { audit.statistics.patchSuccess[$0] },
      largest: score.standardized.mapValues { $0.max() ?? 0 },
      doubt: accuracyDoubt ?? others.difference(images: audit.searchImages + audit.heldOutImages))
  }
}

extension AuditScores {
  /// A line for each audit: shares as fractions, numbers in full.
  public var csv: String {
    let header = [
      "group", "audit", "model", "architecture", "accuracy", "verdict", "p", "smallest p", "clean models",
      "of the bank",
      "score", "class", "patch success",
    ]
    let statistics = AuditStatistic.allCases.filter { statistic in
      rows.contains { $0.largest[statistic.rawValue] != nil }
    }
    let lines = rows.map { row in
      [
        row.group, row.folder, row.model, row.architecture, row.accuracy.map { "\($0)" } ?? "", row.verdict.rawValue,
        "\(row.pValue)", "\(row.smallestPValue)", "\(row.cleanModels)", row.isOfBank ? "yes" : "no", "\(row.score)",
        row.label, row.patchSuccess.map { "\($0)" } ?? "",
      ] + statistics.map { row.largest[$0.rawValue].map { "\($0)" } ?? "" }
    }
    return CSVTable.text([header + statistics.map(\.title)] + lines)
  }
}
