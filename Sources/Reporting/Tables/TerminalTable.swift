import Experiments
import Files
import Support

/// A run's scores as plain text with aligned columns, at most 100 columns wide for a run with two models.
enum TerminalTable {
  static func text(_ record: RunRecord) -> String {
    let table = ScoreTable(record)
    let rows = table.scores + table.risks
    let hasChange = rows.contains { $0.change != nil }
    let names = rows.map(\.abbreviation) + (table.effectiveness == nil ? [] : [Glossary.effectiveness.abbreviation])
    let nameWidth = names.map(\.count).max() ?? 0
    let columns = table.columns.map(plain) + (hasChange ? ["Change"] : [])
    let widths = columns.map { max(8, $0.count) }

    func line(_ name: String, _ cells: [String]) -> String {
      let padded = zip(cells, widths).map { String(repeating: " ", count: max(0, $1 - $0.count)) + $0 }
      let text = ([name + String(repeating: " ", count: nameWidth - name.count)] + padded).joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }

    var lines = [plain(record.title), plain(subtitle(record)), ""]
    if !rows.isEmpty {
      lines.append(line("", columns))
      lines += rows.map { row in
        line(row.abbreviation, row.cells.map(\.value) + (hasChange ? [row.change ?? NumberText.missing] : []))
      }
      if let effectiveness = table.effectiveness {
        let gap = Array(repeating: "", count: max(0, table.columns.count - 1))
        lines.append(line(Glossary.effectiveness.abbreviation, gap + [effectiveness]))
      }
      lines.append("")
    }
    lines += [record.lastEpochs?.sentence, record.findings?.detection?.sentence].compactMap { $0 }
    lines += record.flags.map { "! \(plain($0.id)): \(plain($0.message))" }
    lines.append(plain(Verdict(record).sentence))
    return lines.joined(separator: "\n") + "\n"
  }

  private static func subtitle(_ record: RunRecord) -> String {
    var parts = ["run \(record.id.prefix(12))", record.status.rawValue]
    if let duration = record.duration { parts.append(formatDuration(duration)) }
    return parts.joined(separator: " · ")
  }

  /// Without control characters, which could move the cursor or change colours.
  private static func plain(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  }
}
