import Foundation

/// Draws a chart as an SVG element that stands in the page itself and takes its colours from the page's style sheet.
///
/// It is what a reader sees on paper, without scripts, and where the interactive library is missing.
struct SVGChart {
  private static let width = 520.0
  private static let height = 270.0
  private static let top = 12.0
  private static let bottom = 34.0
  private static let leftMargin = 48.0

  static func draw(_ chart: Chart) -> String {
    let rightMargin = chart.right == nil ? 16.0 : 58.0
    let plotWidth = width - leftMargin - rightMargin
    let plotHeight = height - top - bottom
    let epochs = AxisScale.epochs(chart.series.flatMap { $0.points.map(\.epoch) })
    let left = scale(chart.left, chart.series.filter { !$0.onRightAxis })
    let right = chart.right.map { scale($0, chart.series.filter(\.onRightAxis)) }

    func x(_ epoch: Double) -> Double { leftMargin + plotWidth * epochs.position(epoch) }
    func y(_ value: Double, _ scale: AxisScale) -> Double { top + plotHeight * (1 - scale.position(value)) }

    var svg = SVG.open(width: width, height: height, summary: summary(chart))
    for tick in left.ticks {
      let height = y(tick, left)
      svg += SVG.line("grid", leftMargin, height, width - rightMargin, height)
      svg += SVG.label(
        chart.left.isShare ? "\(NumberText.short((100 * tick).rounded()))%" : NumberText.short(tick), leftMargin - 7,
        height + 4, "end")
    }
    for tick in epochs.ticks {
      svg += SVG.line("tick", x(tick), top + plotHeight, x(tick), top + plotHeight + 4)
      svg += SVG.label(NumberText.short(tick), x(tick), top + plotHeight + 17, "middle")
    }
    if let right {
      for tick in right.ticks {
        svg += SVG.label(NumberText.short(tick), width - rightMargin + 7, y(tick, right) + 4, "start")
      }
    }
    svg += SVG.label("epoch", leftMargin + plotWidth / 2, height - 3, "middle", "axis")
    svg += SVG.line("base", leftMargin, top + plotHeight, width - rightMargin, top + plotHeight)

    for series in chart.series {
      let axis = series.onRightAxis ? right ?? left : left
      for segment in Chart.segments(series.points) {
        let points = segment.map { (x(Double($0.epoch)), y($0.value, axis)) }
        if points.count > 1 {
          let path = points.map { "\(SVG.text($0.0)),\(SVG.text($0.1))" }.joined(separator: " ")
          svg += "<polyline class=\"line s\(series.style)\" points=\"\(path)\"/>"
        }
        // Markers carry the exact value as a tooltip; on long runs they would hide the line.
        guard segment.count <= 60 else { continue }
        for (point, value) in zip(points, segment) {
          let shown =
            chart.left.isShare && !series.onRightAxis ? NumberText.percent(value.value) : NumberText.short(value.value)
          svg +=
            "<circle class=\"dot s\(series.style)\" cx=\"\(SVG.text(point.0))\" cy=\"\(SVG.text(point.1))\" r=\"2.4\">"
          svg += "<title>\(HTMLText.escape("\(series.name), epoch \(value.epoch): \(shown)"))</title></circle>"
        }
      }
    }
    return svg + "</svg>"
  }

  private static func scale(_ axis: Chart.Axis, _ series: [Chart.Series]) -> AxisScale {
    let values = series.flatMap { $0.points.map(\.value) }.filter(\.isFinite)
    if axis.isShare, values.allSatisfy({ (0...1).contains($0) }) { return .shares }
    return AxisScale(covering: values)
  }

  /// The chart in words, for readers who do not see it.
  private static func summary(_ chart: Chart) -> String {
    let lines = chart.series.map { series in
      let isShare = chart.left.isShare && !series.onRightAxis
      func shown(_ value: Double?) -> String {
        isShare ? NumberText.percent(value) : value.map(NumberText.short) ?? NumberText.missing
      }
      return "\(series.name) from \(shown(series.points.first?.value)) to \(shown(series.points.last?.value))"
    }
    return "\(chart.title) over epochs. " + lines.joined(separator: "; ") + "."
  }
}
