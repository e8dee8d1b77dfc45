import Files
import Foundation
import Support
import Synchronization

/// How far a command is, in a file beside its work for whoever looks from outside: `status.json`.
///
/// ```json
/// {"updated": "2026-11-26T06:00:00Z", "stage": "Training", "stageNumber": 1, "stages": 2,
///  "work": "Training 3/12", "done": 12800, "total": 50000, "unit": "images",
///  "secondsLeftOfWork": 310.5, "secondsLeft": 5120.2}
/// ```
///
/// Times that are not known are left out. The file is written every five seconds at most, and is gone when the command
/// ends; one that a killed process left tells by `updated` that it is old.
final class StatusFile: ProgressReporter {
  static let name = "status.json"
  static let interval = 5.0

  private struct State {
    var work: [ProgressWork] = []
    var plan = WorkPlan()
    var written = -Double.infinity
    var isOver = false
  }
  private let path: String
  private let now: @Sendable () -> Double
  private let state = Mutex(State())

  /// - Parameters:
  ///   - folder: where the file goes.
  ///   - now: seconds of a clock that never goes back.
  init(in folder: String, now: @escaping @Sendable () -> Double = { TerminalProgress.seconds }) {
    path = Path.join(folder, Self.name)
    self.now = now
  }

  func begin(_ title: String, total: Int, unit: String) {
    state.withLock { $0.work.append(ProgressWork(title: title, total: total, unit: unit, start: now())) }
  }
  func update(done: Int, note: @autoclosure () -> String) {
    state.withLock { state in
      guard let top = state.work.indices.last else { return }
      state.work[top].done = done
      write(&state)
    }
  }
  func end(summary: String) { state.withLock { _ = $0.work.popLast() } }
  func message(_ text: String) {}
  func plan(_ works: [PlannedWork]) { state.withLock { $0.plan = WorkPlan(works) } }
  func beginStage(_ name: String, images: Double, done: Double) {
    state.withLock { $0.plan.begin(name, images: images, done: done, now: now()) }
  }
  func advanceStage(images: Double) { state.withLock { $0.plan.advance(images: images, now: now()) } }
  func endStage() { state.withLock { $0.plan.end(now: now()) } }

  /// Takes the file away; nothing is written afterwards.
  func remove() {
    state.withLock { state in
      state.isOver = true
      try? FileSystem.remove(path)
    }
  }

  private func write(_ state: inout State) {
    let time = now()
    guard !state.isOver, time - state.written >= Self.interval, let top = state.work.indices.last else { return }
    state.written = time
    state.work[top].measure(now: time)
    let work = state.work[top]
    var tree: JSONValue = [
      "updated": .string(Date().formatted(.iso8601)), "work": .string(work.cleanTitle), "done": .int(work.done),
      "unit": .string(work.unit),
    ]
    func rounded(_ seconds: Double) -> JSONValue { .double((seconds * 10).rounded() / 10) }
    if work.total > 0 { tree["total"] = .int(work.total) }
    if let left = work.timeLeft { tree["secondsLeftOfWork"] = rounded(left) }
    if let stage = state.plan.stage { tree["stage"] = .string(StageTitle.title(of: stage)) }
    if let (number, count) = state.plan.position { (tree["stageNumber"], tree["stages"]) = (.int(number), .int(count)) }
    if let left = state.plan.secondsLeft { tree["secondsLeft"] = rounded(left) }
    // Work does not stop for a file that nobody may look at.
    try? AtomicFile.write(Data((tree.prettyJSON + "\n").utf8), to: path, isDurable: false)
  }
}
