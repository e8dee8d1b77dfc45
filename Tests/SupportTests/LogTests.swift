import Foundation
import Support
import TestFiles
import Testing

@Suite struct LogTests {
  let clock: @Sendable () -> Date = { Date(timeIntervalSince1970: 1_700_000_000.25) }

  @Test func linesHaveTimesAndWarningsReachTheUser() throws {
    try withTemporaryFolder { folder in
      let progress = RecordingProgress()
      for _ in 0..<2 {  // The second log appends.
        let log = try Log(path: folder + "/run.log", progress: progress, now: clock)
        log.info("epoch 1")
        log.warning("slow\ndisk")
        log.error("gone")
      }
      let once = """
        2023-11-14T22:13:20.250Z info: epoch 1
        2023-11-14T22:13:20.250Z warning: slow
            disk
        2023-11-14T22:13:20.250Z error: gone

        """
      #expect(contents(folder + "/run.log") == once + once)
      #expect(progress.messages == ["warning: slow\ndisk", "error: gone", "warning: slow\ndisk", "error: gone"])
    }
  }

  @Test func withoutAFile() throws {
    let progress = RecordingProgress()
    let log = try Log(path: nil, progress: progress)
    log.info("x")
    log.warning("y")
    #expect(progress.messages == ["warning: y"])
  }

  @Test func placesThatCannotBeWritten() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) { try Log(path: folder + "/no/run.log", progress: SilentProgress()) }
      #expect(error?.reason == .missingParent(folder + "/no"))
    }
  }

  @Test(.enabled(if: access("/dev/full", W_OK) == 0, "there is no /dev/full here"))
  func aFullDiskIsToldOnce() throws {
    let progress = RecordingProgress()
    let log = try Log(path: "/dev/full", progress: progress)
    log.info("a")
    log.info("b")
    #expect(progress.messages.count == 1)
    #expect(progress.messages.first?.contains("the disk is full") == true)
  }

  @Test func linesOfManyThreadsDoNotMix() async throws {
    try await withTemporaryFolder { folder in
      let file = try AppendingFile(folder + "/metrics.jsonl")
      await withTaskGroup { group in
        for worker in 0..<4 {
          group.addTask { for step in 0..<100 { try? file.append(line: JSONValue.array([.int(worker), .int(step)]).compactJSON) } }
        }
      }
      try file.synchronize()
      let lines = (contents(folder + "/metrics.jsonl") ?? "").split(separator: "\n")
      #expect(lines.count == 400)
      #expect(try Set(lines.map { try JSONValue(json: String($0)) }).count == 400)
    }
  }
}
