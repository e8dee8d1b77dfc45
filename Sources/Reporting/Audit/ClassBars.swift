import Audit
import Experiments

/// The sums of a model's classes as bars, with where the largest sums of clean models lie. Of many classes, the
/// largest.
enum ClassBars {
  private static let width = 520.0
  private static let row = 22.0
  private static let margin = (left: 120.0, right: 16.0, top: 8.0, bottom: 24.0)
  private static let most = 20

  static func draw(_ result: AuditResult, _ bank: AuditResult.Bank) -> String {
    let sums = bank.score.sums
    let order = bank.score.largestSums(most)
    let shown = order.count < sums.count ? order : order.sorted()
    let clean = bank.score.cleanSums.sorted()
    let band = (quantile(clean, 0.05), quantile(clean, 0.95))
    let scale = AxisScale(covering: [0, band.0] + clean.suffix(1) + shown.map { sums[$0] }, ticks: 5)
    let height = margin.top + Double(shown.count) * row + margin.bottom
    func x(_ value: Double) -> Double { margin.left + (width - margin.left - margin.right) * scale.position(value) }
    let bottom = height - margin.bottom

    var svg = SVG.open(width: width, height: height, summary: summary(result, bank))
    svg += rectangle("area s2", band.0, band.1, margin.top, bottom - margin.top, x)
    for tick in scale.ticks {
      svg += SVG.line("grid", x(tick), margin.top, x(tick), bottom)
      svg += SVG.label(NumberText.short(tick), x(tick), height - 8, "middle")
    }
    for (place, number) in shown.enumerated() {
      let y = margin.top + Double(place) * row
      let label = bank.score.labels[number]
      let style = label == result.label ? "area s1" : "area s0"
      svg += rectangle(style, 0, sums[number], y + 4, row - 8, x)
      svg += SVG.label(shortened(result.classNames[label]), margin.left - 8, y + row / 2 + 4, "end")
    }
    svg += SVG.line("base", x(0), margin.top, x(0), bottom)
    if let largest = clean.last { svg += SVG.line("threshold", x(largest), margin.top, x(largest), bottom) }
    return svg + "</svg>"
  }

  private static func rectangle(
    _ style: String, _ from: Double, _ to: Double, _ y: Double, _ height: Double, _ x: (Double) -> Double
  ) -> String {
    let (left, right) = (min(x(from), x(to)), max(x(from), x(to)))
    return "<path class=\"\(style)\" d=\"M\(SVG.text(left)) \(SVG.text(y))H\(SVG.text(right))V\(SVG.text(y + height))"
      + "H\(SVG.text(left))Z\"/>"
  }

  private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    sorted.isEmpty ? 0 : sorted[Int((share * Double(sorted.count - 1)).rounded())]
  }

  private static func shortened(_ name: String) -> String {
    name.count > 15 ? "\(name.prefix(14))…" : name
  }

  private static func summary(_ result: AuditResult, _ bank: AuditResult.Bank) -> String {
    "Sums of \(bank.score.sums.count) classes; the largest is \(NumberText.short(bank.score.sums.max() ?? 0)), the "
      + "largest of \(bank.models) clean models \(NumberText.short(bank.score.cleanSums.max() ?? 0)). Class "
      + "\(result.classNames[result.label]) stands out most."
  }
}
