/// The rows of a table as lines whose columns stand below each other, two spaces apart, without blanks at their ends.
///
/// - Parameters:
///   - rows: each with as many cells as the first.
///   - right: the columns whose cells end at the right edge, as numbers do; the others begin at the left edge.
///   - keepsEmpty: whether a column without any text takes room.
package func alignedLines(_ rows: [[String]], right: Set<Int> = [], keepsEmpty: Bool = true) -> [String] {
  var widths = (rows.first ?? []).map { _ in 0 }
  for row in rows {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], width(of: cell)) }
  }
  let shown = widths.indices.filter { keepsEmpty || widths[$0] > 0 }
  return rows.map { row in
    var line = ""
    for (position, column) in shown.enumerated() {
      let gap = String(repeating: " ", count: widths[column] - width(of: row[column]))
      if position > 0 { line += "  " }
      line += right.contains(column) ? gap + row[column] : row[column] + gap
    }
    while line.utf8.last == UInt8(ascii: " ") { line.removeLast() }
    return line
  }
}

/// Counting bytes is much quicker, and nearly all cells are ASCII.
private func width(of cell: String) -> Int {
  cell.utf8.allSatisfy { $0 < 128 } ? cell.utf8.count : cell.count
}
