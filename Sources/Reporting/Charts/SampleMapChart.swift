import Experiments

/// Draws samples in the plane: a dot for a clean one in the colour of its label, a dark triangle for a poisoned one.
enum SampleMapChart {
  private static let size = 520.0
  private static let margin = 14.0

  static func draw(_ map: RunRecord.SampleMap) -> String {
    let (lowX, highX) = (map.x.min() ?? 0, map.x.max() ?? 1)
    let (lowY, highY) = (map.y.min() ?? 0, map.y.max() ?? 1)
    let span = max(highX - lowX, highY - lowY, 1e-9)
    func place(_ value: Double, _ low: Double, _ high: Double) -> Double {
      margin + (size - 2 * margin) * ((value - (low + high) / 2) / span + 0.5)
    }
    let classes = (map.labels.max() ?? 0) + 1
    var svg = SVG.open(
      width: size, height: size,
      summary:
        "\(map.title): \(map.poisoned.count { !$0 }) clean and \(map.poisoned.count { $0 }) poisoned samples in the "
        + "plane."
    )
    // Poison on top: it is rare, and what the picture is about.
    for poisoned in [false, true] {
      for index in map.x.indices where map.poisoned[index] == poisoned {
        let (x, y) = (place(map.x[index], lowX, highX), place(map.y[index], lowY, highY))
        let title = "<title>\(poisoned ? "poisoned, " : "")label \(map.labels[index])</title>"
        if poisoned {
          let points = [(x, y - 4), (x - 3.6, y + 2.6), (x + 3.6, y + 2.6)]
          let text = points.map { "\(SVG.text($0.0)),\(SVG.text($0.1))" }.joined(separator: " ")
          svg += "<polygon class=\"poisoned\" points=\"\(text)\">\(title)</polygon>"
        } else {
          svg +=
            "<circle cx=\"\(SVG.text(x))\" cy=\"\(SVG.text(y))\" r=\"2.6\" "
            + "fill=\"\(color(map.labels[index], of: classes))\">\(title)</circle>"
        }
      }
    }
    return svg + "</svg>"
  }

  /// Evenly spaced hues.
  static func color(_ label: Int, of classes: Int) -> String { "hsl(\(label * 360 / max(classes, 1)) 62% 52%)" }
}
