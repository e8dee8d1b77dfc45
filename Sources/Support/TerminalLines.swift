import Foundation
import Synchronization

/// Several lines on standard error that are redrawn in place: one for each thing that goes on, with messages above them.
/// Only for a terminal; see ``isPossible``.
public final class TerminalLines: Sendable {
  private let terminal: TerminalProgress.Terminal
  private let drawn = Mutex([String]())

  public convenience init() { self.init(terminal: .standardError()) }

  init(terminal: TerminalProgress.Terminal) { self.terminal = terminal }

  /// Whether standard error is a terminal that can go back to an earlier line.
  public var isPossible: Bool { terminal.isTerminal }

  /// Shows these lines in place of those before; each is cut to the width.
  public func show(_ lines: [String]) {
    drawn.withLock { drawn in
      // The last column stays free: a terminal may wrap after it.
      let lines = lines.map { ProgressLine.cut(ProgressLine.clean($0), to: max(0, terminal.width() - 1)) }
      guard lines != drawn else { return }
      terminal.write(Self.erasing(drawn.count) + lines.map { $0 + "\n" }.joined())
      drawn = lines
    }
  }

  /// A line that stays, above the others.
  public func message(_ text: String) {
    drawn.withLock { drawn in
      terminal.write(Self.erasing(drawn.count) + ProgressLine.clean(text) + "\n" + drawn.map { $0 + "\n" }.joined())
    }
  }

  /// Takes the lines away.
  public func stop() { show([]) }

  /// Back to the first of so many lines, and everything from there on empty.
  private static func erasing(_ count: Int) -> String { count == 0 ? "" : "\u{1B}[\(count)A\u{1B}[J" }
}
