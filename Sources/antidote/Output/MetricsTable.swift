import Evaluation
import Files
import Foundation
import Support

/// What models scored, side by side.
enum MetricsTable {
  static func text(_ columns: [(name: String, metrics: BackdoorMetrics)]) -> String {
    var rows: [(name: String, cells: [String])] = []
    func add(_ name: String, _ value: (BackdoorMetrics) -> Double?) {
      let values = columns.map { value($0.metrics) }
      if values.contains(where: { $0 != nil }) {
        rows.append((name, values.map { $0.map { formatPercent($0) } ?? "-" }))
      }
    }
    add("ACC    clean accuracy") { $0.accuracy }
    add("ASR    attack success rate") { $0.attackSuccessRate }
    add("       the same images without trigger") { $0.cleanTargetRate }
    add("R-ACC  true label in spite of the trigger") { $0.robustAccuracy }
    add("       the same, target class included") { $0.poisonAccuracy }
    add("       source seen and flipped to target") { $0.targetedMisclassification }
    for name in Set(columns.flatMap { $0.metrics.perTask.keys }).sorted() { add("ASR    \(name)") { $0.perTask[name] } }
    let width = rows.map(\.name.count).max() ?? 0
    func line(_ name: String, _ cells: [String]) -> String {
      let padded = cells.map { String(repeating: " ", count: max(0, 8 - $0.count)) + $0 }
      return ([name.padding(toLength: width, withPad: " ", startingAt: 0)] + padded).joined(separator: "  ") + "\n"
    }
    var text = columns.count > 1 ? line("", columns.map(\.name)) : ""
    for row in rows { text += line(row.name, row.cells) }
    if let first = columns.first?.metrics {
      let triggered = first.triggeredCount > 0 ? ", \(formatCount(first.triggeredCount)) with trigger" : ""
      text += "\(formatCount(first.testCount)) test images\(triggered)\n"
    }
    return text
  }
}
