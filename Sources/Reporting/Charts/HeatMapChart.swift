import Foundation

/// Shares by row and column as coloured squares with their numbers.
struct HeatMapChart {
  var title: String
  var rows: [String]
  var columns: [String]
  /// Fractions in [0, 1], by row; nil where there is none.
  var values: [[Double?]]
  var higherIsBetter: Bool

  private static let cell = (width: 46.0, height: 26.0)

  func svg() -> String {
    let left = 12 + 6.4 * Double(rows.map(\.count).max() ?? 0)
    let top = 10 + 4.9 * Double(columns.map(\.count).max() ?? 0)
    // Slanted names of the last columns reach beyond the squares.
    let width = left + Self.cell.width * Double(columns.count) + 5.2 * Double(columns.last?.count ?? 0)
    let height = top + Self.cell.height * Double(rows.count) + 6
    var svg = SVG.open(
      width: max(width, 200), height: height,
      summary: "\(title) of \(rows.count) rows and \(columns.count) columns; the table has the numbers.")
    for (number, column) in columns.enumerated() {
      let (x, y) = (left + Self.cell.width * (Double(number) + 0.5), top - 7)
      svg +=
        "<text class=\"label\" transform=\"translate(\(SVG.text(x)) \(SVG.text(y))) rotate(-42)\" "
        + "text-anchor=\"start\">\(HTMLText.escape(column))</text>"
    }
    for (row, name) in rows.enumerated() {
      let y = top + Self.cell.height * Double(row)
      svg += SVG.label(name, left - 8, y + Self.cell.height / 2 + 4, "end")
      for (column, value) in values[row].enumerated() {
        let x = left + Self.cell.width * Double(column)
        let box =
          "x=\"\(SVG.text(x + 1))\" y=\"\(SVG.text(y + 1))\" width=\"\(SVG.text(Self.cell.width - 2))\" "
          + "height=\"\(SVG.text(Self.cell.height - 2))\" rx=\"3\""
        guard let value, value.isFinite else {
          svg += "<rect class=\"empty\" \(box)/>"
          continue
        }
        let goodness = min(max(higherIsBetter ? value : 1 - value, 0), 1)
        let tip = "\(name), \(columns[column]): \(NumberText.percent(value))"
        svg +=
          "<rect fill=\"\(Self.color(goodness))\" \(box)><title>\(HTMLText.escape(tip))</title></rect>"
          + "<text class=\"number\" x=\"\(SVG.text(x + Self.cell.width / 2))\" y=\"\(SVG.text(y + 17))\" "
          + "text-anchor=\"middle\">\(String(format: "%.1f", 100 * value))</text>"
      }
    }
    return svg + "</svg>"
  }

  /// From orange (bad) over pale yellow to blue (good): told apart with any kind of colour vision, and light enough
  /// everywhere for dark numbers.
  static func color(_ goodness: Double) -> String {
    let stops: [(Double, Double, Double)] = [(240, 130, 60), (250, 226, 160), (128, 186, 226)]
    let place = goodness * Double(stops.count - 1)
    let index = min(Int(place), stops.count - 2)
    let share = place - Double(index)
    func mix(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * share).rounded()) }
    let (a, b) = (stops[index], stops[index + 1])
    return "rgb(\(mix(a.0, b.0)) \(mix(a.1, b.1)) \(mix(a.2, b.2)))"
  }
}
