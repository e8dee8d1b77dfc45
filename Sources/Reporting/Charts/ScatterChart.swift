import Foundation

/// Points in the square of two shares, in groups.
struct ScatterChart {
  struct Point {
    var name: String
    /// Fractions in [0, 1].
    var x: Double
    var y: Double
  }

  var title: String
  var xLabel: String
  var yLabel: String
  var groups: [(name: String, points: [Point])]

  /// A colour and a shape for each group: seven colours, of which each has three shapes.
  static func style(_ group: Int) -> (color: Int, shape: Int) { (group % 7, group / 7 % 3) }

  private static let width = 520.0
  private static let height = 380.0
  private static let margin = (left: 52.0, right: 26.0, top: 14.0, bottom: 46.0)

  func svg() -> String {
    let points = groups.flatMap(\.points)
    // Accuracies lie close together: that axis begins near the lowest.
    let lowest = points.map(\.x).filter(\.isFinite).min() ?? 0
    let xScale = AxisScale(covering: [max(0, lowest - 0.02), 1])
    let yScale = AxisScale.shares
    let (plotWidth, plotHeight) = (
      Self.width - Self.margin.left - Self.margin.right, Self.height - Self.margin.top - Self.margin.bottom
    )
    func x(_ value: Double) -> Double { Self.margin.left + plotWidth * xScale.position(value) }
    func y(_ value: Double) -> Double { Self.margin.top + plotHeight * (1 - yScale.position(value)) }
    var svg = SVG.open(
      width: Self.width, height: Self.height, summary: "\(title): \(points.count) points in \(groups.count) groups.")
    for tick in yScale.ticks {
      svg += SVG.line("grid", Self.margin.left, y(tick), Self.width - Self.margin.right, y(tick))
      svg += SVG.label("\(NumberText.short(100 * tick))%", Self.margin.left - 7, y(tick) + 4, "end")
    }
    for tick in xScale.ticks where tick <= 1 {
      svg += SVG.line("grid", x(tick), Self.margin.top, x(tick), y(0))
      svg += SVG.label("\(NumberText.short((1000 * tick).rounded() / 10))%", x(tick), y(0) + 17, "middle")
    }
    svg += SVG.line("base", Self.margin.left, y(0), Self.width - Self.margin.right, y(0))
    svg += SVG.label(xLabel, Self.margin.left + plotWidth / 2, Self.height - 8, "middle", "axis")
    svg += SVG.label(yLabel, Self.margin.left, Self.margin.top - 3, "start", "axis")
    for (number, group) in groups.enumerated() {
      let (color, shape) = Self.style(number)
      for point in group.points where point.x.isFinite && point.y.isFinite {
        svg += Self.marker(shape, "dot s\(color)", x(point.x), y(point.y), point.title(xLabel, yLabel))
      }
    }
    return svg + "</svg>"
  }

  static func marker(_ shape: Int, _ style: String, _ x: Double, _ y: Double, _ title: String) -> String {
    let tip = title.isEmpty ? "" : "<title>\(HTMLText.escape(title))</title>"
    func polygon(_ points: [(Double, Double)]) -> String {
      let text = points.map { "\(SVG.text(x + $0.0)),\(SVG.text(y + $0.1))" }.joined(separator: " ")
      return "<polygon class=\"\(style)\" points=\"\(text)\">\(tip)</polygon>"
    }
    switch shape {
    case 0: return "<circle class=\"\(style)\" cx=\"\(SVG.text(x))\" cy=\"\(SVG.text(y))\" r=\"4.2\">\(tip)</circle>"
    case 1: return polygon([(0, -5.2), (5, 3.8), (-5, 3.8)])
    default: return polygon([(-4, -4), (4, -4), (4, 4), (-4, 4)])
    }
  }
}

extension ScatterChart.Point {
  fileprivate func title(_ xLabel: String, _ yLabel: String) -> String {
    "\(name): \(xLabel) \(NumberText.percent(x)), \(yLabel) \(NumberText.percent(y))"
  }
}
