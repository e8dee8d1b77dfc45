/// A line chart over epochs, independent of how it is drawn.
struct Chart {
  /// One line. Points that are not finite are gaps.
  struct Series {
    var name: String
    /// Colour, dash and marker, by position in the palette.
    var style: Int
    var onRightAxis = false
    var points: [(epoch: Int, value: Double)]
  }

  struct Axis {
    var label: String
    /// Whether values are shares, shown as percentages from 0 to 100.
    var isShare = false
  }

  var id: String
  var title: String
  var left: Axis
  var right: Axis?
  var series: [Series]

  /// The line's points between gaps.
  static func segments(_ points: [(epoch: Int, value: Double)]) -> [[(epoch: Int, value: Double)]] {
    var segments: [[(epoch: Int, value: Double)]] = [[]]
    for point in points {
      if point.value.isFinite {
        segments[segments.count - 1].append(point)
      } else if segments.last?.isEmpty == false {
        segments.append([])
      }
    }
    return segments.filter { !$0.isEmpty }
  }
}
