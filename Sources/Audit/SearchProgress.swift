import Support
import Training

/// Progress of a search over classes, in steps of single classes, and of the stage that it is in.
final class SearchProgress {
  private let context: TrainingContext
  private var done = 0
  private let passes: Double

  /// - Parameter passes: of an image through the network and back, in a step of one class.
  init(_ title: String, steps: Int, groups: [[Int]], passes: Double, _ context: TrainingContext) {
    self.passes = passes
    self.context = context
    context.progress.begin(title, total: steps * groups.reduce(0) { $0 + $1.count }, unit: "steps")
  }

  /// One step of the classes of a group is done.
  /// - Throws: `Interrupted` after Ctrl-C.
  func step(_ group: [Int]) throws {
    done += group.count
    context.progress.update(done: done)
    context.progress.advanceStage(images: Double(group.count) * passes)
    try Interruption.check()
  }

  func end() { context.progress.end() }
}
