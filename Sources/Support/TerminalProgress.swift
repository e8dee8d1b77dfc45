import Files
import Foundation
import Synchronization

/// Progress on standard error.
///
/// On a terminal, one line that is redrawn at most ten times a second: title, bar, percent, speed, time left, time left
/// over all stages of the command, note; cut to the width, never wrapped. Elsewhere, such as in a log file, plain lines:
/// one at the start, one every `plainInterval` seconds, one at the end. Colours only on a terminal, and not where
/// `NO_COLOR` is set.
public final class TerminalProgress: ProgressReporter {
  /// The reporter of the process.
  public static let standard = TerminalProgress()

  /// What the reporter stands on; tests put their own in.
  struct Terminal: Sendable {
    var isTerminal: Bool
    var hasColor: Bool
    var hasUnicode: Bool
    var width: @Sendable () -> Int
    var now: @Sendable () -> Double
    var write: @Sendable (String) -> Void
  }

  private struct State {
    var work: [ProgressWork] = []
    var plan = WorkPlan()
    var lastDraw = -Double.infinity
    var isLineDrawn = false
  }

  private let terminal: Terminal
  private let plainInterval: Double
  private let state = Mutex(State())

  /// - Parameter plainInterval: Seconds between lines where standard error is not a terminal.
  public convenience init(plainInterval: Double = 30) {
    self.init(terminal: .standardError(), plainInterval: plainInterval)
  }

  /// Plain lines to somewhere else.
  /// - Parameter write: Gets whole lines with their line ends.
  public convenience init(plainInterval: Double, write: @escaping @Sendable (String) -> Void) {
    var terminal = Terminal.standardError()
    terminal.isTerminal = false
    terminal.hasColor = false
    terminal.write = write
    self.init(terminal: terminal, plainInterval: plainInterval)
  }

  init(terminal: Terminal, plainInterval: Double) {
    self.terminal = terminal
    self.plainInterval = plainInterval
  }

  public func begin(_ title: String, total: Int, unit: String) {
    state.withLock { state in
      let now = terminal.now()
      let work = ProgressWork(title: title, total: total, unit: unit, start: now)
      state.work.append(work)
      if terminal.isTerminal {
        draw(&state, now: now)
      } else {
        state.lastDraw = now
        terminal.write("\(work.cleanTitle): starting" + (total > 0 ? ", \(formatCount(total)) \(unit)" : "") + "\n")
      }
    }
  }

  public func update(done: Int, note: @autoclosure () -> String) {
    state.withLock { state in
      guard let top = state.work.indices.last else { return }
      state.work[top].done = done
      let now = terminal.now()
      guard now - state.lastDraw >= (terminal.isTerminal ? 0.1 : plainInterval) else { return }
      state.work[top].note = note()
      state.work[top].measure(now: now)
      if terminal.isTerminal {
        draw(&state, now: now)
      } else {
        state.lastDraw = now
        terminal.write(ProgressLine.plain(state.work[top], state.plan) + "\n")
      }
    }
  }

  public func end(summary: String) {
    state.withLock { state in
      guard let work = state.work.popLast() else { return }
      let now = terminal.now()
      erase(&state)
      if !summary.isEmpty || !terminal.isTerminal {
        let result = summary.isEmpty ? "done" : summary
        terminal.write("\(work.cleanTitle): \(result) (\(formatDuration(now - work.start)))\n")
      }
      if terminal.isTerminal, !state.work.isEmpty { draw(&state, now: now) }
    }
  }

  public func message(_ text: String) {
    state.withLock { state in
      erase(&state)
      terminal.write(escapedLines(text) + "\n")
      if terminal.isTerminal, !state.work.isEmpty { draw(&state, now: terminal.now()) }
    }
  }

  public func plan(_ works: [PlannedWork]) { state.withLock { $0.plan = WorkPlan(works) } }
  public func beginStage(_ name: String, images: Double, done: Double) {
    state.withLock { $0.plan.begin(name, images: images, done: done, now: terminal.now()) }
  }
  public func advanceStage(images: Double) { state.withLock { $0.plan.advance(images: images, now: terminal.now()) } }
  public func endStage() { state.withLock { $0.plan.end(now: terminal.now()) } }

  /// Takes the bar away and forgets the work under way: something else ends it.
  public func stop() {
    state.withLock { state in
      erase(&state)
      state.work = []
      state.plan = WorkPlan()
    }
  }

  /// Seconds of a clock that never goes back.
  package static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func draw(_ state: inout State, now: Double) {
    state.lastDraw = now
    // The last column stays free: a terminal may wrap after it.
    let line = ProgressLine.bar(
      state.work, state.plan, width: max(0, terminal.width() - 1), color: terminal.hasColor,
      unicode: terminal.hasUnicode)
    terminal.write("\r\u{1B}[2K" + line)
    state.isLineDrawn = true
  }

  private func erase(_ state: inout State) {
    guard state.isLineDrawn else { return }
    terminal.write("\r\u{1B}[2K")
    state.isLineDrawn = false
  }
}

extension TerminalProgress.Terminal {
  static func standardError(environment: [String: String] = ProcessInfo.processInfo.environment) -> Self {
    let isTerminal = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
    let language =
      [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].compactMap { $0 }.first { !$0.isEmpty }
      ?? ""
    return Self(
      isTerminal: isTerminal,
      hasColor: isTerminal && (environment["NO_COLOR"] ?? "").isEmpty,
      hasUnicode: language.lowercased().contains("utf-8") || language.lowercased().contains("utf8"),
      width: {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
      },
      now: { TerminalProgress.seconds },
      write: { text in StandardStreams.writeError(text) })
  }
}
