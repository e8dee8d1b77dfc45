import Foundation

/// Lines over a numeric axis, with bars for the deviation over seeds.
struct NumericChart {
  struct Point {
    var x: Double
    var y: Double
    /// Half the length of the bar; nil draws none.
    var spread: Double?
  }

  struct Series {
    var name: String
    var points: [Point]
  }

  var title: String
  var xLabel: String
  var yLabel: String
  /// Whether values are shares, shown in percent.
  var isShare: Bool
  /// Whether the x axis is logarithmic; only where all its values are above zero.
  var isLogarithmic: Bool
  var series: [Series]

  /// Colours of the page's style sheet.
  static let styles = 7

  private static let width = 520.0
  private static let height = 290.0
  private static let margin = (left: 52.0, right: 18.0, top: 12.0, bottom: 46.0)

  func svg() -> String {
    let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    let isLogarithmic = isLogarithmic && points.allSatisfy { $0.x > 0 }
    func along(_ x: Double) -> Double { isLogarithmic ? log10(x) : x }
    let (low, high) = (points.map { along($0.x) }.min() ?? 0, points.map { along($0.x) }.max() ?? 1)
    let ends = points.flatMap { [$0.y - ($0.spread ?? 0), $0.y + ($0.spread ?? 0)] }
    let scale =
      isShare && ends.allSatisfy { (-0.05...1.05).contains($0) } ? AxisScale.shares : AxisScale(covering: ends)
    let (plotWidth, plotHeight) = (
      Self.width - Self.margin.left - Self.margin.right, Self.height - Self.margin.top - Self.margin.bottom
    )
    let bottom = Self.margin.top + plotHeight
    func place(_ x: Double) -> Double {
      Self.margin.left + plotWidth * (high > low ? 0.02 + 0.96 * (along(x) - low) / (high - low) : 0.5)
    }
    func place(y: Double) -> Double {
      Self.margin.top + plotHeight * (1 - min(max(scale.position(y), -0.02), 1.02))
    }

    var svg = SVG.open(width: Self.width, height: Self.height, summary: summary)
    for tick in scale.ticks {
      svg += SVG.line("grid", Self.margin.left, place(y: tick), Self.width - Self.margin.right, place(y: tick))
      svg += SVG.label(shown(y: tick), Self.margin.left - 7, place(y: tick) + 4, "end")
    }
    for x in Self.ticks(points.map(\.x), isLogarithmic: isLogarithmic) {
      svg += SVG.line("tick", place(x), bottom, place(x), bottom + 4)
      svg += SVG.label(NumberText.short(x), place(x), bottom + 17, "middle")
    }
    svg += SVG.line("base", Self.margin.left, bottom, Self.width - Self.margin.right, bottom)
    svg += SVG.label(
      xLabel + (isLogarithmic ? " (logarithmic)" : ""), Self.margin.left + plotWidth / 2, Self.height - 8, "middle",
      "axis")
    for (number, line) in series.enumerated() {
      let style = number % Self.styles
      let finite = line.points.filter { $0.x.isFinite && $0.y.isFinite }.sorted { $0.x < $1.x }
      if finite.count > 1 {
        let path = finite.map { "\(SVG.text(place($0.x))),\(SVG.text(place(y: $0.y)))" }.joined(separator: " ")
        svg += "<polyline class=\"line s\(style)\" points=\"\(path)\"/>"
      }
      for point in finite {
        if let spread = point.spread, spread > 0 {
          svg += SVG.line(
            "bar s\(style)", place(point.x), place(y: point.y - spread), place(point.x), place(y: point.y + spread))
        }
        guard finite.count <= 80 else { continue }
        let bar = point.spread.map { " ± \(shown(y: $0))" } ?? ""
        svg +=
          "<circle class=\"dot s\(style)\" cx=\"\(SVG.text(place(point.x)))\" cy=\"\(SVG.text(place(y: point.y)))\" "
          + "r=\"3\"><title>\(HTMLText.escape("\(line.name), \(xLabel) \(NumberText.short(point.x)): "))"
          + "\(HTMLText.escape(shown(y: point.y) + bar))</title></circle>"
      }
    }
    return svg + "</svg>"
  }

  /// The values themselves where there are few, as in a sweep; round numbers otherwise.
  private static func ticks(_ values: [Double], isLogarithmic: Bool) -> [Double] {
    let distinct = Set(values).sorted()
    guard let first = distinct.first, let last = distinct.last else { return [] }
    if distinct.count <= 6 || isLogarithmic && distinct.count <= 9 {
      // Labels of neighbours that would touch are left out.
      var kept: [Double] = []
      func along(_ x: Double) -> Double { isLogarithmic ? log10(x) : x }
      for value in distinct
      where kept.last.map({ along(value) - along($0) > 0.07 * (along(last) - along(first)) }) ?? true {
        kept.append(value)
      }
      return kept
    }
    return AxisScale(covering: distinct).ticks.filter { (first...last).contains($0) }
  }

  private func shown(y value: Double) -> String {
    isShare ? "\(NumberText.short((1000 * value).rounded() / 10))%" : NumberText.short(value)
  }

  /// The chart in words, for readers who do not see it.
  private var summary: String {
    let lines = series.map { line in
      "\(line.name) from \(line.points.first.map { shown(y: $0.y) } ?? NumberText.missing) to "
        + (line.points.last.map { shown(y: $0.y) } ?? NumberText.missing)
    }
    return "\(title). " + lines.joined(separator: "; ") + "."
  }

  /// The same numbers as comma-separated values: one row a point.
  var rows: [[String]] {
    [["series", xLabel, yLabel, "deviation"]]
      + series.flatMap { line in
        line.points.map { [line.name, "\($0.x)", "\($0.y)", $0.spread.map { "\($0)" } ?? ""] }
      }
  }
}
