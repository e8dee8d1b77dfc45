import Experiments
import Foundation

/// Draws how a value is spread over clean and over poisoned samples. Bars are shares of their own group, since poison
/// is rare.
enum HistogramChart {
  private static let width = 520.0
  private static let height = 250.0
  private static let margin = (left: 48.0, right: 16.0, top: 16.0, bottom: 26.0)

  static func draw(_ histogram: RunRecord.Histogram) -> String {
    let groups = [
      (style: 0, counts: histogram.clean), (style: 1, counts: histogram.poisoned),
      (style: 2, counts: histogram.cover ?? []),
    ].filter { $0.counts.contains { $0 > 0 } }
    let shares = groups.map { group in
      let total = Double(group.counts.reduce(0, +))
      return group.counts.map { Double($0) / total }
    }
    let scale = AxisScale(covering: [0] + shares.flatMap { $0 }, ticks: 4)
    let (plotWidth, plotHeight) = (width - margin.left - margin.right, height - margin.top - margin.bottom)
    let bins = histogram.clean.count
    func x(_ share: Double) -> Double { margin.left + plotWidth * share }
    func y(_ value: Double) -> Double { margin.top + plotHeight * (1 - scale.position(value)) }

    var svg = SVG.open(width: width, height: height, summary: summary(histogram))
    for tick in scale.ticks {
      svg += SVG.line("grid", margin.left, y(tick), width - margin.right, y(tick))
      svg += SVG.label("\(NumberText.short(tick * 100))%", margin.left - 7, y(tick) + 4, "end")
    }
    for (number, group) in groups.enumerated() {
      var path = "M\(SVG.text(x(0))) \(SVG.text(y(0)))"
      for (bin, share) in shares[number].enumerated() {
        path += "V\(SVG.text(y(share)))H\(SVG.text(x(Double(bin + 1) / Double(bins))))"
      }
      svg += "<path class=\"area s\(group.style)\" d=\"\(path)V\(SVG.text(y(0)))Z\"/>"
    }
    for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
      let value = histogram.lower + share * (histogram.upper - histogram.lower)
      svg += SVG.label(NumberText.short(value), x(share), height - 8, anchor)
    }
    svg += SVG.line("base", margin.left, y(0), width - margin.right, y(0))
    if let threshold = histogram.threshold, histogram.upper > histogram.lower {
      let place = x((threshold - histogram.lower) / (histogram.upper - histogram.lower))
      svg += SVG.line("threshold", place, margin.top, place, y(0))
      let isRight = place > width / 2
      svg += SVG.label(
        "threshold \(NumberText.short(threshold))", place + (isRight ? -5 : 5), margin.top + 8,
        isRight ? "end" : "start")
    }
    return svg + "</svg>"
  }

  private static func summary(_ histogram: RunRecord.Histogram) -> String {
    let threshold = histogram.threshold.map { ", threshold \(NumberText.short($0))" } ?? ""
    return "\(histogram.title), from \(NumberText.short(histogram.lower)) to \(NumberText.short(histogram.upper)), of "
      + "\(histogram.clean.reduce(0, +)) clean and \(histogram.poisoned.reduce(0, +)) poisoned samples\(threshold). "
      + "The first and the last bar also hold what lies beyond them."
  }
}
