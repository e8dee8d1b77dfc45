import Experiments
import Files
import Foundation
import Support

/// Claims of the features that cells have in common: one cell's process learns them, others that come to them at the same
/// time wait. They are kept as those of cells, and overtaken as those are.
struct FeatureClaims: StageClaims {
  private let folder: ClaimFolder
  private let lease: Double
  private let lifeline: Int32
  /// Seconds between two looks at a claim that another process has.
  private let interval: Double

  /// - Parameter lifeline: a descriptor that reaches its end when this process should end.
  init(grid: String, lease: Double, lifeline: Int32, interval: Double = 1) {
    folder = ClaimFolder(grid: grid)
    (self.lease, self.lifeline, self.interval) = (lease, lifeline, interval)
  }

  /// What a claim of features is called, beside the ids of cells.
  static func name(of features: String) -> String { "features-\(features)" }

  func take(_ id: String, progress: any ProgressReporter) throws -> () -> Void {
    let watch = ClaimWatch(folder)
    var hasSaid = false
    while true {
      try Interruption.check()
      if let held = try watch.take(Self.name(of: id), lease: lease) {
        let keeper = ClaimKeeper(held)
        keeper.start(lifeline: lifeline)
        return {
          keeper.stop()
          try? held.release()
        }
      }
      if !hasSaid { progress.message("another cell learns the same features; waiting for it") }
      hasSaid = true
      usleep(UInt32(interval * 1e6))
    }
  }
}
