import ArgumentParser
import Experiments
import Files
import Foundation
import Grids

struct GridStatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "What of a grid is done, runs, waits or failed, and how long the rest may take.",
    discussion: """
      Works while the grid runs, on any machine that sees its folder. The time left is what running cells say, and for \
      others what finished ones took, for as many processes as work now.

        antidote grid status grids/smoke
        antidote grid status grids/smoke --json
      """)

  @Argument(help: ArgumentHelp("The grid's folder.", valueName: "folder"))
  var folder: String
  @Flag(help: "List every cell, not only those that run or failed.")
  var all = false
  @OptionGroup var output: OutputOptions

  func run() throws {
    let grid = try Grid(folder: folder)
    let status = try GridStatus(grid)
    if output.json { return try Output.write(json: status.json) }
    let shown: [CellState] = all ? CellState.allCases : [.running, .failed, .blocked]
    let listed = status.entries.filter { shown.contains($0.state) }
    let names = listed.map { grid.plan.name(of: $0.cell) }
    let width = names.map(\.count).max() ?? 0
    var text = "\(status.title): " + Self.counts(status) + "\n"
    for (entry, name) in zip(listed, names) {
      let notes = [
        entry.state.rawValue, entry.worker.map { "on \($0)" },
        entry.progress?.work, entry.progress?.secondsLeft().map { "about \(formatDuration($0)) left" },
        entry.failures > 1 ? "\(entry.failures) times" : nil,
        entry.state == .finished ? entry.record?.seconds.map { formatDuration($0) } : nil,
      ].compactMap { $0 }.joined(separator: ", ")
      let log = entry.state == .failed ? " (log: \(grid.logPath(entry.cell)))" : ""
      text += Text.row(name, notes + (entry.reason.map { ": \($0)" } ?? "") + log, width: width)
    }
    if let seconds = status.secondsACell { text += "a finished cell took \(formatDuration(seconds)) on average\n" }
    if let seconds = status.secondsLeft, seconds > 0 {
      let workers = max(1, status.count(.running))
      text += "about \(formatDuration(seconds)) left with \(workers) cell\(workers == 1 ? "" : "s") side by side\n"
    }
    try Output.write(text)
  }

  private static func counts(_ status: GridStatus) -> String {
    let counts = CellState.allCases.compactMap { state in
      let count = status.count(state)
      return count > 0 ? "\(formatCount(count)) \(state.rawValue)" : nil
    }
    let stages = status.stageCount
    let all =
      "\(formatCount(status.entries.count - stages)) cells"
      + (stages > 0 ? " and \(formatCount(stages)) model\(stages == 1 ? "" : "s") that they share" : "")
    return "\(all): " + counts.joined(separator: ", ")
  }
}
