import Foundation
import Support
import Synchronization

/// Keeps a claim alive while its process works, on a thread of its own, and ends the process at once where it
/// must not go on: its worker is gone, or the cell was taken over. What is ended so goes on at its last whole epoch.
final class ClaimKeeper: Sendable {
  private let claim: HeldClaim
  private let isOver = Mutex(false)

  init(_ claim: HeldClaim) { self.claim = claim }

  /// Starts to keep the claim.
  /// - Parameter lifeline: a descriptor that reaches its end when the worker is gone.
  func start(lifeline: Int32) {
    Thread.detachNewThread { [self] in
      var count = 0
      var failures = 0
      while true {
        if ChildProcess.isClosed(lifeline, within: max(0.2, claim.lease / 6)) {
          if isOver.withLock({ $0 }) { return }
          end("its worker is gone")
        }
        count += 1
        do {
          guard try renew(count) else { return }
          failures = 0
        } catch {
          // A file system may be away for a moment. After half a lease without a beat others may take the cell soon.
          failures += 1
          if failures >= 3 { end("the claim cannot be renewed: \(error)") }
        }
      }
    }
  }

  /// - Returns: false when the claim need not be kept any more.
  private func renew(_ count: Int) throws -> Bool {
    try isOver.withLock { isOver in
      if isOver { return false }
      guard try claim.isHeld() else { end("another worker took it over") }
      try claim.beat(count)
      return true
    }
  }

  /// When this returns the claim is not written any more, so that it can be released.
  func stop() { isOver.withLock { $0 = true } }

  private func end(_ reason: String) -> Never {
    StandardStreams.writeError("stopped: \(reason)\n")
    _exit(CellExit.lost)
  }
}

/// Exit codes of a cell's process, beside those of any command.
enum CellExit {
  /// The run directory is in use by another process: `EX_TEMPFAIL`. No failure of the cell.
  static let busy: Int32 = 75
  /// The process has lost its worker or its claim. No failure of the cell.
  static let lost: Int32 = 76
  /// The plan has the cell no more. No failure of the cell.
  static let gone: Int32 = 77
}
