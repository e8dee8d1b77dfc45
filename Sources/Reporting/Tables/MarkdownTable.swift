import Experiments
import Foundation
import Support

/// Runs as a Markdown table, one row each.
enum MarkdownTable {
  static func text(_ records: [RunRecord]) -> String {
    let header = [
      "Run", "Attack", "Poisoning rate", "Defense", "ACC before", "ASR before", "R-ACC before", "ACC after",
      "ASR after", "R-ACC after",
      "DER", "Flags",
    ]
    let rule = header.indices.map { (4...10).contains($0) || $0 == 2 ? "---:" : "---" }
    let rows = records.map { record in
      [
        record.title, record.poison?.attack ?? NumberText.missing, NumberText.percent(record.poison?.rate),
        record.defense?.name ?? NumberText.missing,
      ] + scores(record.before) + scores(record.after) + [
        NumberText.fixed(record.effectiveness, decimals: 3), flags(record),
      ]
    }
    let lines = [header, rule] + rows.map { $0.map(MarkdownText.escaped) }
    return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  private static func scores(_ model: RunRecord.Measurement?) -> [String] {
    [model?.accuracy, model?.attackSuccessRate, model?.robustAccuracy].map(NumberText.percent)
  }

  private static func flags(_ record: RunRecord) -> String {
    let state = record.status == .finished ? [] : [record.status.rawValue]
    return (state + record.flags.map(\.id)).joined(separator: ", ")
  }
}
