import Files

/// A table of samples that a defense wrote, as `antidote filter` reads it.
struct SampleTable {
  struct Sample {
    let line: Int
    let index: String
    /// Absolute, or relative to the current folder; nil where the table has no paths.
    let file: String?
    let row: Int?
    let className: String
    let isRejected: Bool?
    let rank: Int?

    func error(_ problem: String, _ table: String) -> ParseError { ParseError(problem, source: table, line: line) }
  }

  let path: String
  let samples: [Sample]
  private let table: CSVTable

  /// - Throws: `FileError`, `ParseError` with the line.
  init(_ path: String) throws {
    self.path = path
    let table = try CSVTable(contentsOf: path)
    self.table = table
    let folder = Path.parent(path)
    let columns = (
      index: table.column("index"), path: table.column(SampleColumn.path), row: table.column(SampleColumn.row),
      name: table.column(SampleColumn.className) ?? table.column(SampleColumn.label),
      decision: table.column(SampleColumn.decision), kept: table.column(SampleColumn.kept),
      rank: table.column(SampleColumn.rank)
    )
    samples = try table.rows.map { row in
      func field(_ column: Int?) -> String? { column.map { row.fields[$0] } }
      func number(_ column: Int?, _ name: String) throws -> Int? {
        guard let text = field(column), !text.isEmpty else { return nil }
        guard let value = Int(text), value >= 0 else {
          throw ParseError(
            "\(name) is \"\(escaped(text, limit: 60))\", expected a whole number.", source: path, line: row.line)
        }
        return value
      }
      let decision = try field(columns.decision ?? columns.kept).map { text in
        switch text {
        case SampleDecision.kept.rawValue, "1": false
        case SampleDecision.rejected.rawValue, "0": true
        default:
          throw ParseError(
            "the decision is \"\(escaped(text, limit: 60))\", expected kept or rejected.", source: path, line: row.line)
        }
      }
      return Sample(
        line: row.line, index: field(columns.index) ?? "\(row.line)",
        file: field(columns.path).map { Path.resolved($0, in: folder) },
        row: try number(columns.row, "the row"), className: field(columns.name) ?? "", isRejected: decision,
        rank: try number(columns.rank, "the rank"))
    }
    guard !samples.isEmpty else { throw ParseError("there is no sample under the header.", source: path, line: 1) }
  }

  /// For each sample whether it is rejected.
  func rejected(by rule: FilterJob.Rule) throws -> [Bool] {
    switch rule {
    case .decision:
      return try samples.map { sample in
        guard let isRejected = sample.isRejected else {
          throw JobError.invalid(
            "\(path): the table has no column decision: the defense ranks samples and rejects none by itself. "
              + "--most-suspicious N rejects so many.")
        }
        return isRejected
      }
    case .mostSuspicious(let count):
      guard count < samples.count else {
        throw JobError.invalid(
          "--most-suspicious \(count): there are \(samples.count) samples, and none would be kept.")
      }
      return try samples.map { sample in
        guard let rank = sample.rank else {
          throw JobError.invalid("\(path): the table has no column rank: the defense gave no suspicion to sort by.")
        }
        return rank <= count
      }
    }
  }

  /// The table of the kept samples, for another folder.
  func text(without isRejected: [Bool], in folder: String) -> String {
    let column = table.column(SampleColumn.path)
    let rows = table.rows.indices.filter { !isRejected[$0] }.map { number in
      var fields = table.rows[number].fields
      if let column, let file = samples[number].file { fields[column] = Path.relative(file, from: folder) }
      return fields
    }
    return CSVTable.text([table.header] + rows)
  }
}
