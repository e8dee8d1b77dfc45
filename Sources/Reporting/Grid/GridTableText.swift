import Files
import Foundation
import Grids
import Support

/// One metric of a table of a grid, as text that is ready for a page, a document or a spreadsheet.
struct GridTableText {
  let table: ResultGrid.Table
  let metric: ResultMetric
  private let marks: [[Int: ResultGrid.Table.Mark]]
  private let averages: [Double?]

  init(_ table: ResultGrid.Table, _ metric: ResultMetric) {
    self.table = table
    self.metric = metric
    marks = table.rows.indices.map { table.marks(row: $0, metric) }
    averages = table.columns.indices.map { table.average(column: $0, metric) }
  }

  var rowLabels: [String] { table.rows.map(\.text) }
  var columnLabels: [String] { table.columns.indices.map(table.text(ofColumn:)) }
  var hasAverages: Bool { averages.contains { $0 != nil } }
  var heading: String { "\(metric.abbreviation)\(metric.unit.isEmpty ? "" : " (\(metric.unit))")" }

  func mark(_ row: Int, _ column: Int) -> ResultGrid.Table.Mark? { marks[row][column] }
  func average(_ column: Int) -> Double? { averages[column] }

  /// Numbers in full, shares as fractions; mean, deviation and number of seeds in columns of their own.
  var csv: String {
    let header = ["row", "column", metric.id, "deviation", "n"]
    let rows = table.rows.indices.flatMap { row in
      table.columns.indices.compactMap { column -> [String]? in
        guard let statistic = table.cells[row][column]?[metric] else { return nil }
        return [
          rowLabels[row], columnLabels[column], "\(statistic.mean)", statistic.deviation.map { "\($0)" } ?? "",
          "\(statistic.count)",
        ]
      }
    }
    return CSVTable.text([header] + rows)
  }

  /// A table in Markdown: the best value of a row in bold, the second best in italics.
  var markdown: String {
    let header = [heading] + columnLabels
    let body = table.rows.indices.map { row in
      [rowLabels[row]].map(MarkdownText.escaped)
        + table.columns.indices.map { column in
          let text = metric.text(table.cells[row][column]?[metric]) ?? NumberText.missing
          return switch mark(row, column) {
          case .best: "**\(text)**"
          case .second: "*\(text)*"
          case nil: text
          }
        }
    }
    let last = hasAverages ? [["average"] + averages.map { $0.map { metric.text($0) } ?? NumberText.missing }] : []
    let rule = ["---"] + columnLabels.map { _ in "---:" }
    return ([header.map(MarkdownText.escaped), rule] + body + last).map { "| " + $0.joined(separator: " | ") + " |\n" }
      .joined()
  }

  /// A table in LaTeX, for the package booktabs: the best value of a row in bold, the second best underlined.
  var latex: String {
    func line(_ cells: [String]) -> String { cells.joined(separator: " & ") + " \\\\\n" }
    var text = "\\begin{tabular}{l\(String(repeating: "r", count: table.columns.count))}\n\\toprule\n"
    text += line(([heading] + columnLabels).map(Self.escaped)) + "\\midrule\n"
    for row in table.rows.indices {
      text += line(
        [Self.escaped(rowLabels[row])]
          + table.columns.indices.map { column in
            guard let statistic = table.cells[row][column]?[metric] else { return "--" }
            let number = metric.text(statistic.mean)
            let marked =
              switch mark(row, column) {
              case .best: "\\textbf{\(number)}"
              case .second: "\\underline{\(number)}"
              case nil: number
              }
            return marked + (statistic.deviation.map { " $\\pm$ \(metric.text($0))" } ?? "")
          })
    }
    if hasAverages {
      text += "\\midrule\n" + line(["average"] + averages.map { $0.map { metric.text($0) } ?? "--" })
    }
    return text + "\\bottomrule\n\\end{tabular}\n"
  }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "\\": result += "\\textbackslash{}"
      case "~": result += "\\textasciitilde{}"
      case "^": result += "\\textasciicircum{}"
      case "&", "%", "$", "#", "_", "{", "}": result += "\\\(character)"
      default: result.append(character)
      }
    }
  }
}
