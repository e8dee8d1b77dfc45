import Support
import Training

/// Progress of a search over classes, in steps of single classes.
final class SearchProgress {
  private let context: TrainingContext
  private var done = 0

  init(_ title: String, steps: Int, groups: [[Int]], _ context: TrainingContext) {
    self.context = context
    context.progress.begin(title, total: steps * groups.reduce(0) { $0 + $1.count }, unit: "steps")
  }

  /// One step of the classes of a group is done.
  /// - Throws: `Interrupted` after Ctrl-C.
  func step(_ group: [Int]) throws {
    done += group.count
    context.progress.update(done: done)
    try Interruption.check()
  }

  func end() { context.progress.end() }
}
