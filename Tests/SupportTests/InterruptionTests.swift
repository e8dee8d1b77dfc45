import Foundation
import Support
import Testing

/// Sends a signal as a user or the system does, and waits until it has arrived: worker threads block signals, so
/// another thread receives it. Waits ten seconds for an arrival that ends the process.
private func send(_ signal: Int32, endsProcess: Bool = false) {
  kill(getpid(), signal)
  for _ in 0..<1000 where endsProcess || !Interruption.isRequested { usleep(10_000) }
}

/// Signals belong to the whole process, so each test has one of its own.
@Suite struct InterruptionTests {
  @Test func theFirstSignalSetsTheFlag() async throws {
    let result = try await #require(processExitsWith: .exitCode(7), observing: [\.standardErrorContent]) {
      Interruption.install()
      precondition(!Interruption.isRequested)
      try Interruption.check()
      send(SIGINT)
      precondition(Interruption.isRequested)
      do {
        try Interruption.check()
      } catch let error as Interrupted {
        precondition(error.signal == SIGINT && error.exitCode == 130)
        exit(7)
      }
    }
    #expect(
      String(decoding: result.standardErrorContent, as: UTF8.self).contains("Press Ctrl-C again to stop at once."))
  }

  @Test func theSecondSignalEndsTheProcess() async {
    await #expect(processExitsWith: .exitCode(130)) {
      Interruption.install()
      send(SIGINT)
      send(SIGINT, endsProcess: true)
      exit(0)
    }
    await #expect(processExitsWith: .exitCode(143)) {
      Interruption.install()
      send(SIGTERM)
      precondition(Interruption.isRequested)
      send(SIGTERM, endsProcess: true)
      exit(0)
    }
  }

  @Test func requestsForTests() async {
    await #expect(processExitsWith: .success) {
      Interruption.requestForTesting()
      precondition(Interruption.isRequested)
      Interruption.resetForTesting()
      precondition(!Interruption.isRequested)
    }
  }

  @Test func simulationsAreLocal() throws {
    try Interruption.simulated(afterChecks: 2) {
      try Interruption.check()
      #expect(!Interruption.isRequested)
      #expect(throws: Interrupted.self) { try Interruption.check() }
      #expect(Interruption.isRequested)
    }
    #expect(!Interruption.isRequested)
    #expect(Interruption.simulated { Interruption.isRequested })
  }
}
