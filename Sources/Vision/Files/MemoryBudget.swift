import Foundation

/// Memory that threads share: who wants some waits until there is enough.
///
/// A thread that holds some must not ask for more, or two of them could wait for each other.
final class MemoryBudget: Sendable {
  private let total: Int
  private let condition = NSCondition()
  nonisolated(unsafe) private var held = 0  // guarded by the condition's lock

  init(_ total: Int) { self.total = total }

  /// Waits until `bytes` fit. More than the whole is let through once nobody holds any.
  func take(_ bytes: Int) {
    condition.lock()
    while held > 0, bytes > total - held { condition.wait() }
    held += bytes
    condition.unlock()
  }

  func give(_ bytes: Int) {
    condition.lock()
    held -= bytes
    condition.broadcast()
    condition.unlock()
  }
}
