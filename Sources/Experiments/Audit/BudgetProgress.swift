import Files
import Foundation
import Support

/// Shows what is left of an audit's budget of time beside the progress of its parts.
final class BudgetProgress: ProgressReporter {
  private let inner: any ProgressReporter
  private let budget: Double
  private let start: Date

  /// - Parameter budget: seconds.
  init(_ inner: any ProgressReporter, budget: Double, start: Date) {
    (self.inner, self.budget, self.start) = (inner, budget, start)
  }

  /// `7m 40s of 10m 00s left`.
  var left: String {
    let left = budget - Date().timeIntervalSince(start)
    return left > 0
      ? "\(formatDuration(left)) of \(formatDuration(budget)) left"
      : "\(formatDuration(budget)) are over"
  }

  func begin(_ title: String, total: Int, unit: String) {
    inner.begin(title, total: total, unit: unit)
  }
  func update(done: Int, note: @autoclosure () -> String) {
    inner.update(done: done, note: [note(), left].filter { !$0.isEmpty }.joined(separator: ", "))
  }
  func end(summary: String) { inner.end(summary: summary) }
  func plan(_ works: [PlannedWork]) { inner.plan(works) }
  func beginStage(_ name: String, images: Double, done: Double) { inner.beginStage(name, images: images, done: done) }
  func advanceStage(images: Double) { inner.advanceStage(images: images) }
  func endStage() { inner.endStage() }
  func message(_ text: String) { inner.message("\(text) (\(left))") }
}
