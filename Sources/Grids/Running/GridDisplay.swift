import Files
import Foundation
import Support

/// What a worker shows: on a terminal a line for each cell that runs and one for the whole, redrawn; elsewhere plain
/// lines when a cell begins and ends, and now and then one for the whole and for each cell that runs.
final class GridDisplay {
  struct Line {
    var name: String
    var text: String
    var since: ContinuousClock.Instant
  }

  private let lines = TerminalLines()
  private let plainInterval = Duration.seconds(60)
  private let start = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  private var counted: (summary: GridWorker.Summary, at: ContinuousClock.Instant)?

  func message(_ text: String) {
    counted = nil
    if lines.isPossible { lines.message(text) } else { StandardStreams.writeError(escapedLines(text) + "\n") }
  }

  /// - Parameter summary: asked at most every ten seconds, and after a message: it looks at each cell.
  func show(_ running: [Line], _ summary: () throws -> GridWorker.Summary) rethrows {
    let now = ContinuousClock.now
    guard lines.isPossible else {
      guard shown.map({ now - $0 >= plainInterval }) ?? true else { return }
      if shown != nil {
        let cells = running.filter { !$0.text.isEmpty }.map { "\n  \($0.name): \($0.text)" }
        message(whole(try summary(), running.count, now) + cells.joined())
      }
      shown = now
      return
    }
    if counted.map({ now - $0.at >= .seconds(10) }) ?? true { counted = (try summary(), now) }
    let width = running.map(\.name.count).max() ?? 0
    let cells = running.map { line in
      "\(line.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(time(since: line.since, now))  \(line.text)"
    }
    lines.show(cells + (counted.map { [whole($0.summary, running.count, now)] } ?? []))
  }

  func stop() { lines.stop() }

  private func whole(_ summary: GridWorker.Summary, _ running: Int, _ now: ContinuousClock.Instant) -> String {
    var text = "\(summary.finished) of \(summary.cells) cells finished"
    if summary.failed > 0 { text += ", \(summary.failed) failed" }
    text += ", \(running) running here, \(time(since: start, now)) so far"
    let left = summary.cells - summary.finished - summary.failed
    if summary.own > 0, left > 0 {
      let seconds = (now - start) / .seconds(1) / Double(summary.own) * Double(left)
      text += ", about \(formatDuration(seconds)) left"
    }
    return text
  }

  private func time(since start: ContinuousClock.Instant, _ now: ContinuousClock.Instant) -> String {
    formatDuration((now - start) / .seconds(1))
  }
}
