import Foundation
import Synchronization

/// The user or the system asked the process to stop.
public struct Interrupted: Error, CustomStringConvertible, Sendable, Hashable {
  /// The signal: 2 for Ctrl-C, 1 for a closed terminal, 15 for `kill`.
  public let signal: Int32
  /// What the process should exit with: 128 and the signal, as shells expect.
  public var exitCode: Int32 { 128 + signal }
  public var description: String {
    let cause =
      switch signal {
      case SIGTERM: "SIGTERM"
      case SIGHUP: "SIGHUP: the terminal was closed"
      default: "Ctrl-C"
      }
    return "interrupted (\(cause)); what was saved so far is kept"
  }
}

/// Ctrl-C, SIGTERM and SIGHUP (the terminal was closed) as a flag that long work looks at between its steps.
///
/// The first signal asks the work to stop at a good place. A second one ends the process at once, with 128 and the
/// signal as exit code: 130 for Ctrl-C, 143 for SIGTERM. SIGHUP stays ignored where the parent ignores it, as `nohup`
/// does. SIGQUIT (Ctrl-\) ends the process at once.
public enum Interruption {
  /// The signal that came; 0 for none.
  private static let received = Atomic<Int32>(0)

  /// Starts to listen. Call once, at the start of the program; more calls do nothing new.
  public static func install() {
    // The flag's storage is set up here, so that the handler only touches memory that exists.
    _ = received.load(ordering: .relaxed)
    var action = sigaction()
    #if os(Linux)
      action.__sigaction_handler.sa_handler = handleSignal
    #else
      action.__sigaction_u.__sa_handler = handleSignal
    #endif
    action.sa_flags = Int32(SA_RESTART)  // Reads and writes elsewhere go on as if nothing had happened.
    sigemptyset(&action.sa_mask)
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
    if !isIgnored(SIGHUP) { sigaction(SIGHUP, &action, nil) }
    // Swift's run time would print a backtrace first, which can take long.
    signal(SIGQUIT, SIG_DFL)
    // A parent that starts programs from a worker thread may hand down a mask that keeps these signals away.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGHUP)
    sigaddset(&signals, SIGQUIT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  private static func isIgnored(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return false }
    #if os(Linux)
      return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    #else
      return unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    #endif
  }

  /// Whether the work should stop.
  public static var isRequested: Bool { requestedSignal != 0 }

  /// Stops the work if asked to.
  /// - Throws: `Interrupted`.
  public static func check() throws(Interrupted) {
    let signal = requestedSignal
    if signal != 0 { throw Interrupted(signal: signal) }
  }

  private static var requestedSignal: Int32 {
    if let simulation, simulation.countdown.subtract(1, ordering: .relaxed).newValue < 0 { return SIGINT }
    return received.load(ordering: .relaxed)
  }

  /// Notes a signal; returns false where one came before. Safe in a signal handler: one atomic exchange.
  fileprivate static func note(_ signal: Int32) -> Bool {
    received.compareExchange(expected: 0, desired: signal, ordering: .relaxed).exchanged
  }

  // MARK: Tests

  private final class Simulation: Sendable {
    let countdown: Atomic<Int>
    init(_ count: Int) { countdown = Atomic(count) }
  }

  @TaskLocal private static var simulation: Simulation?

  /// Runs `body` as if Ctrl-C were pressed after the given number of looks at the flag. Other tasks see nothing of it,
  /// so tests of resumption can run side by side.
  public static func simulated<R>(afterChecks count: Int = 0, _ body: () throws -> R) rethrows -> R {
    try $simulation.withValue(Simulation(count), operation: body)
  }

  /// Sets the flag of the whole process as Ctrl-C would.
  public static func requestForTesting() { _ = note(SIGINT) }

  /// Clears the flag of the whole process.
  public static func resetForTesting() { received.store(0, ordering: .relaxed) }
}

/// Runs inside the signal: it may touch neither memory allocation nor locks.
private func handleSignal(_ signal: Int32) {
  let saved = errno
  guard Interruption.note(signal) else { _exit(128 + signal) }
  let notice: StaticString = "\nStopping at the next safe place. Press Ctrl-C again to stop at once.\n"
  _ = write(STDERR_FILENO, notice.utf8Start, notice.utf8CodeUnitCount)
  errno = saved
}
