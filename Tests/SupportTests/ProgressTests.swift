import Foundation
import Synchronization
import Testing

@testable import Support

/// A terminal in memory with a clock that the test turns.
final class FakeTerminal: Sendable {
  private let state = Mutex((text: "", now: 0.0))
  var text: String { state.withLock { $0.text } }
  func advance(_ seconds: Double) { state.withLock { $0.now += seconds } }
  func clear() { state.withLock { $0.text = "" } }

  var terminal: TerminalProgress.Terminal {
    .init(
      isTerminal: true, hasColor: false, hasUnicode: false, width: { 20 }, now: { self.state.withLock { $0.now } },
      write: { text in self.state.withLock { $0.text += text } })
  }

  func reporter(
    isTerminal: Bool = true, color: Bool = false, unicode: Bool = false, width: Int = 80, plain: Double = 30
  )
    -> TerminalProgress
  {
    TerminalProgress(
      terminal: .init(
        isTerminal: isTerminal, hasColor: color, hasUnicode: unicode, width: { width },
        now: { self.state.withLock { $0.now } },
        write: { text in self.state.withLock { $0.text += text } }), plainInterval: plain)
  }

  /// What each redraw put on the line.
  var frames: [String] { text.components(separatedBy: "\r\u{1B}[2K").dropFirst().map { $0 } }
}

@Suite struct ProgressTests {
  @Test func severalLinesAreRedrawnInPlace() {
    let fake = FakeTerminal()
    let lines = TerminalLines(terminal: fake.terminal)
    lines.show(["first", "a line that is longer than the terminal"])
    #expect(fake.text == "first\na line that is long\n")
    fake.clear()
    lines.show(["first", "a line that is longer than the terminal"])
    #expect(fake.text.isEmpty)
    lines.message("done\u{1B}[31m")
    #expect(fake.text == "\u{1B}[2A\u{1B}[Jdone [31m\nfirst\na line that is long\n")
    fake.clear()
    lines.stop()
    #expect(fake.text == "\u{1B}[2A\u{1B}[J")
  }

  @Test func severalAreTold() {
    let reporters = [RecordingProgress(), RecordingProgress()]
    let shared = SharedProgress(reporters)
    shared.begin("a", total: 2, unit: "b")
    shared.update(done: 1, note: "n")
    shared.message("m")
    shared.end(summary: "s")
    for reporter in reporters {
      #expect(
        reporter.events == [
          .begin(title: "a", total: 2, unit: "b"), .update(done: 1, note: "n"), .message("m"), .end(summary: "s"),
        ])
    }
  }

  @Test func aBarShowsEverything() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("train", total: 1000, unit: "images")
    terminal.advance(2)
    progress.update(done: 400, note: "loss 0.41")
    #expect(terminal.frames.last == "train #####--------- 40% 200 images/s, 3 s left, loss 0.41")
    progress.end(summary: "accuracy 93.2%")
    #expect(terminal.text.hasSuffix("\r\u{1B}[2Ktrain: accuracy 93.2% (2.0 s)\n"))
  }

  @Test func atMostTenRedrawsASecondAndNoNotesBetween() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("train", total: 1000, unit: "images")
    let notes = Atomic(0)
    for step in 1...1000 {
      terminal.advance(0.001)
      progress.update(done: step, note: "\(notes.add(1, ordering: .relaxed).newValue)")
    }
    #expect((9...11).contains(terminal.frames.count))
    #expect(notes.load(ordering: .relaxed) == terminal.frames.count - 1)
  }

  @Test(arguments: [10, 40, 80, 200])
  func cutNotWrapped(_ width: Int) {
    let terminal = FakeTerminal()
    let progress = terminal.reporter(color: true, unicode: true, width: width)
    progress.begin("図書館 with a long title\nand a line break", total: 10, unit: "images")
    terminal.advance(1)
    progress.update(done: 5, note: String(repeating: "note ", count: 100) + "\u{1B}[2J")
    for frame in terminal.frames {
      let visible = frame.replacing(/\u{1B}\[[0-9]*m/, with: "")
      #expect(ProgressLine.columns(visible) <= width - 1)
      #expect(!visible.contains("\n"))
      #expect(!visible.contains("\u{1B}"))
    }
  }

  @Test func coloursOnlyWhereAsked() {
    for color in [true, false] {
      let terminal = FakeTerminal()
      let progress = terminal.reporter(color: color)
      progress.begin("a", total: 2, unit: "x")
      terminal.advance(1)
      progress.update(done: 1)
      #expect(terminal.text.contains("\u{1B}[36m") == color)
    }
    let noColor = TerminalProgress.Terminal.standardError(environment: ["NO_COLOR": "1", "LANG": "C.UTF-8"])
    #expect(!noColor.hasColor)
    #expect(noColor.hasUnicode)
  }

  @Test func theSpeedIsThatOfTheLastSeconds() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("train", total: 1_000_000, unit: "images")
    var done = 0
    for _ in 0..<60 {  // A minute at 10 a second,
      terminal.advance(1)
      done += 10
      progress.update(done: done)
    }
    for _ in 0..<30 {  // then half a minute at 1,000.
      terminal.advance(1)
      done += 1000
      progress.update(done: done)
    }
    #expect(terminal.frames.last?.contains("1,000 images/s") == true, "\(terminal.frames.last ?? "")")
  }

  @Test func unknownTotals() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("scan", total: 0, unit: "files")
    terminal.advance(1)
    progress.update(done: 1500)
    #expect(terminal.frames.last == "scan 1,500 files, 1,500 files/s")
  }

  @Test func innerWorkNamesTheOuter() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("grid", total: 12, unit: "cells")
    terminal.advance(1)
    progress.update(done: 3)
    progress.begin("train", total: 10, unit: "epochs")
    #expect(terminal.frames.last == "grid 3/12 > train -------------- 0% ")
    progress.end()
    #expect(terminal.frames.last?.hasPrefix("grid ###") == true)
    #expect(!terminal.text.contains("train: "))
  }

  @Test func messagesDoNotTearTheBar() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("train", total: 10, unit: "epochs")
    terminal.clear()
    progress.message("warning: x")
    #expect(terminal.text == "\r\u{1B}[2Kwarning: x\n\r\u{1B}[2Ktrain -------------- 0% ")
  }

  @Test func plainLinesAwayFromATerminal() {
    let terminal = FakeTerminal()
    let progress = terminal.reporter(isTerminal: false, plain: 10)
    progress.begin("train", total: 100, unit: "images")
    for step in 1...25 {
      terminal.advance(1)
      progress.update(done: step, note: "loss \(step)")
    }
    progress.message("warning: x")
    progress.end(summary: "")
    progress.end(summary: "nothing was begun")
    #expect(
      terminal.text == """
        train: starting, 100 images
        train 10% 10/100 images, 1.00 images/s, 1m 30s left, loss 10
        train 20% 20/100 images, 1.00 images/s, 1m 20s left, loss 20
        warning: x
        train: done (25.0 s)

        """)
  }

  @Test func theRecorderRecords() {
    let progress = RecordingProgress()
    let reporter: any ProgressReporter = progress
    reporter.begin("a", total: 2, unit: "x")
    reporter.update(done: 1, note: "n")
    reporter.update(done: 2)
    reporter.message("m")
    reporter.end(summary: "s")
    #expect(
      progress.events == [
        .begin(title: "a", total: 2, unit: "x"), .update(done: 1, note: "n"), .update(done: 2, note: ""), .message("m"),
        .end(summary: "s"),
      ])
    #expect(progress.messages == ["m"])
  }

  @Test func silenceDoesNotAskForNotes() {
    let progress: any ProgressReporter = SilentProgress()
    progress.update(done: 1, note: { () -> String in fatalError("asked") }())
  }

  @Test func threadsMayShareAReporter() async {
    let terminal = FakeTerminal()
    let progress = terminal.reporter()
    progress.begin("a", total: 1000, unit: "x")
    await withTaskGroup { group in
      for worker in 0..<4 {
        group.addTask { for step in 0..<250 { progress.update(done: worker * 250 + step, note: "n") } }
      }
    }
    progress.end(summary: "s")
    #expect(terminal.text.hasSuffix("a: s (0.0 ms)\n"))
  }
}
