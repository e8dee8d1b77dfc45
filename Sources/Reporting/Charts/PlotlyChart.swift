import Files
import Foundation

/// A chart as the data that the page's script hands to Plotly.
struct PlotlyChart: Encodable {
  struct Trace: Encodable {
    var name: String
    var style: Int
    var right: Bool
    var x: [Int]
    /// `null` leaves a gap.
    var y: [Double?]
  }

  var id: String
  var share: Bool
  var left: String
  var right: String?
  var traces: [Trace]

  init(_ chart: Chart) {
    id = chart.id
    share = chart.left.isShare
    left = chart.left.label
    right = chart.right?.label
    traces = chart.series.map { series in
      Trace(
        name: series.name, style: series.style, right: series.onRightAxis, x: series.points.map(\.epoch),
        y: series.points.map { $0.value.isFinite ? $0.value : nil })
    }
  }

  /// All charts as JSON that can stand inside a script element.
  ///
  /// - Throws: An `EncodingError`; none is expected.
  static func json(_ charts: [Chart]) throws -> String {
    try JSONValue(encoding: charts.map(PlotlyChart.init)).compactJSON.replacingOccurrences(of: "<", with: "\\u003c")
  }
}
