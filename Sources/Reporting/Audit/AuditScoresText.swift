import Audit
public import Experiments
import Files

/// Scores of finished audits, for a terminal: a line for each audit, then one for each group of several.
public enum AuditScoresText {
  public static func text(_ scores: AuditScores) -> String {
    let number = AuditResult.number
    var lines = alignedLines(
      [["audit", "p", "score", "class", "patch", "verdict"]]
        + scores.rows.map {
          [
            $0.folder, number($0.pValue), number($0.score), $0.label, NumberText.percent($0.patchSuccess),
            $0.verdict.rawValue,
          ]
        }, right: [1, 2, 4])
    let own = scores.rows.filter(\.isOfBank).count
    let clean = (scores.rows.map(\.cleanModels).max() ?? 0)
    let smallest = scores.rows.map(\.smallestPValue).min() ?? 1
    lines += [
      "", "Compared with \(clean) clean models: p is at least \(number(smallest)).",
    ]
    if own > 0 {
      lines += [
        "\(own) of the audits \(own == 1 ? "is" : "are") of the bank: each is compared with the others, and no share is given, "
          + "since their p are 1/n, 2/n, ..., 1 whatever the models are."
      ]
    }
    let doubts = scores.rows.compactMap { row in row.doubt.map { "\(row.folder): \($0)" } }
    if let first = doubts.first {
      lines += ["! \(first)\(doubts.count > 1 ? "; and \(doubts.count - 1) more" : "")"]
    }
    let groups = scores.groups.filter { $0.count > 1 }
    if !groups.isEmpty {
      let columns = [
        "audits of", "models", "above all", "p <= \(number(AuditVerdict.suspiciousLevel))",
        "p <= \(number(scores.level))",
      ]
      lines += [""]
      lines += alignedLines(
        [columns]
          + groups.map { group in
            [
              group.name, "\(group.count)", interval(group.aboveAll), interval(group.suspicious),
              interval(group.backdoored),
            ]
          }, right: [1])
      lines += ["", "In parentheses: 95% intervals (Clopper-Pearson), for this bank."]
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func interval(_ interval: ShareInterval) -> String {
    func percent(_ share: Double) -> String { String(NumberText.percent(share).dropLast()) }
    return "\(NumberText.percent(interval.share)) (\(percent(interval.lower)) to \(percent(interval.upper)))"
  }
}
