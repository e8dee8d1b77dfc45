import Dispatch
import Foundation
import Synchronization

extension Runtime {
  /// Runs `body(0)` to `body(count - 1)`, as many at the same time as there are CPU threads (`threadCount`), and waits
  /// for all of them: for independent work in small pieces, such as networks too small for the threads of one
  /// operation.
  ///
  /// Each runs on one thread, with an equal share of the CPU threads for its operations. Bodies may share tensors that
  /// none of them writes. Nothing else may compute meanwhile.
  /// - Throws: the error of the lowest number that threw, after all that had begun have ended; no other begins then.
  public static func concurrently(_ count: Int, _ body: (_ number: Int) throws -> Void) throws {
    let threads = threadCount
    let workers = min(count, threads)
    guard workers > 1 else {
      for number in 0..<count { try body(number) }
      return
    }
    let errors = Errors()
    let next = Atomic(0)
    // Called on several threads, and on none after `concurrentPerform` returns.
    nonisolated(unsafe) let body = body
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      threadCount = threads / workers
      while errors.first == nil {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard number < count else { break }
        do { try body(number) } catch { errors.note(error, number) }
      }
    }
    // LibTorch keeps the number for the process and for each thread; this thread took part.
    threadCount = threads
    if let error = errors.first { throw error }
  }

  private final class Errors: @unchecked Sendable {
    private let lock = NSLock()
    private var noted: (number: Int, error: any Error)?
    var first: (any Error)? { lock.withLock { noted?.error } }
    func note(_ error: any Error, _ number: Int) {
      lock.withLock {
        if noted.map({ number < $0.number }) ?? true { noted = (number, error) }
      }
    }
  }
}
