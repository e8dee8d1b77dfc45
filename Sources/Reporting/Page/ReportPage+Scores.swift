import Experiments

/// What the models scored.
extension ReportPage {
  struct ScoreSection {
    var columns: [String]
    var changes: Bool
    var scores: [ScoreRow]
    var riskRows: RiskRows?
    var lastEpochs: String?
    var rating: Rating?
  }

  struct RiskRows {
    var risks: [ScoreRow]
    var width: Int
    /// What the perturbations were searched among.
    var search: String?
  }

  struct ScoreRow {
    var abbreviation: String
    var name: String
    var explanation: String
    var cells: [ScoreCell]
    var changeCell: ChangeCell?
  }

  struct ScoreCell {
    var column: String
    var value: String
    var details: [String]
  }

  struct ChangeCell {
    var difference: String
    var trend: String
    var unit: String
  }

  struct Rating {
    var ratingValue: String
    var ratingExplanation: String
    var span: Int
  }

  static func scores(_ record: RunRecord) -> ScoreSection? {
    let table = ScoreTable(record)
    guard !table.scores.isEmpty else { return nil }
    let changes = (table.scores + table.risks).contains { $0.change != nil }
    func rows(_ rows: [ScoreTable.Row]) -> [ScoreRow] {
      rows.map { row in
        let change = ChangeCell(
          difference: row.change ?? NumberText.missing, trend: row.change == nil ? "same" : row.trend,
          unit: row.change == nil
            ? ""
            : row.trend == "same"
              ? (row.change == "0.0" ? "points" : "points, within the intervals") : "points, \(row.trend)")
        return ScoreRow(
          abbreviation: row.abbreviation, name: row.name, explanation: row.explanation,
          cells: zip(table.columns, row.cells).map { ScoreCell(column: $0, value: $1.value, details: $1.details) },
          changeCell: changes ? change : nil)
      }
    }
    let width = table.columns.count + (changes ? 1 : 0)
    return ScoreSection(
      columns: table.columns, changes: changes, scores: rows(table.scores),
      riskRows: table.risks.isEmpty
        ? nil : RiskRows(risks: rows(table.risks), width: width + 1, search: record.riskSearch),
      lastEpochs: record.lastEpochs?.sentence,
      rating: table.effectiveness.map {
        Rating(ratingValue: $0, ratingExplanation: Glossary.effectiveness.explanation, span: width)
      })
  }
}
