/// A drawing as a file of its own: with the colours that a page would give it.
enum ChartFile {
  private static let style = """
    text { font: 12px sans-serif; fill: #5f676f; } .number { fill: #1c2024; }
    .grid { stroke: #e2e3e0; stroke-width: 1; } .base, .tick { stroke: #5f676f; stroke-width: 1; }
    .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; } .bar { stroke-width: 1.4; }
    .empty { fill: #f0f0ed; } .poisoned { fill: #1c2024; stroke: #ffffff; stroke-width: .8; }
    """
    + [
      ("#0068a8", "none"), ("#c8500a", "7 4"), ("#00835f", "1.5 4"), ("#8a4fa3", "9 4 2 4"), ("#a8780a", "12 5"),
      ("#3c4650", "none"), ("#b0417c", "7 4"),
    ].enumerated().map { number, look in
      """

      .line.s\(number) { stroke: \(look.0); stroke-dasharray: \(look.1); } .dot.s\(number) { fill: \(look.0); } \
      .bar.s\(number) { stroke: \(look.0); }
      """
    }.joined()

  /// - Parameters:
  ///   - svg: As drawn for a page.
  ///   - legend: Names of the lines or groups in their order, which go below the drawing.
  static func text(_ svg: String, legend: [(name: String, color: Int, shape: Int)]) -> String {
    guard let box = svg.firstRange(of: "viewBox=\"0 0 "), let close = svg[box.upperBound...].firstIndex(of: "\""),
      let start = svg.firstIndex(of: ">")
    else { return svg }
    let size = svg[box.upperBound..<close].split(separator: " ").compactMap { Double($0) }
    let (width, height) = (size.first ?? 520, size.last ?? 290)
    let columns = max(1, Int(width / 170))
    let lines = (legend.count + columns - 1) / columns
    var keys = ""
    for (number, entry) in legend.enumerated() {
      let x = 14 + Double(number % columns) * (width - 14) / Double(columns)
      let y = height + 10 + 18 * Double(number / columns)
      keys +=
        ScatterChart.marker(entry.shape, "dot s\(entry.color)", x, y, "")
        + SVG.label(entry.name, x + 10, y + 4, "start")
    }
    let whole = height + Double(lines) * 18 + (lines > 0 ? 10 : 0)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(SVG.text(width))" height="\(SVG.text(whole))" \
      viewBox="0 0 \(SVG.text(width)) \(SVG.text(whole))"><style>\(style)</style>\
      <rect width="100%" height="100%" fill="#ffffff"/>\(svg[svg.index(after: start)...].dropLast("</svg>".count))\(keys)</svg>

      """
  }
}
