import Foundation
import Testing

/// Standard streams that are closed, full or without a reader; the signals of a closed terminal.
struct StreamTests {
  private static let run =
    [
      "run", "--out", "run", "--epochs", "1", "--attack", "badnets", "--defense", "none", "--set",
      "evaluation.samples=2",
    ]
    + Tool.tiny + Tool.tinyModel

  /// Runs the tool in a shell with these redirections and returns the exit code.
  private func shell(_ tool: Tool, _ arguments: [String], _ redirections: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", "set -o pipefail; \"$0\" \"$@\" \(redirections)", try Tool.binary()] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: tool.folder)
    try process.run()
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
  }

  @Test func anErrorWithoutStandardErrorIsAnExitCode() throws {
    try withTool { (tool) throws in
      for streams in ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"] {
        #expect(try shell(tool, ["evaluate", "--model", "missing.safetensors"], streams) == 1, "\(streams)")
      }
    }
  }

  @Test func aRunWithClosedStreamsWritesIntoItsOwnFilesOnly() throws {
    try withTool { (tool) throws in
      #expect(try shell(tool, Self.run, "<&- >&- 2>&-") == 0)
      #expect(try String(decoding: tool.data("run/record.json"), as: UTF8.self).contains("\"finished\""))
      #expect(try tool.data("run/.lock").count < 16, "progress went into the lock file")
    }
  }

  @Test func aReaderThatGoesAwayDoesNotStopTheWork() throws {
    try withTool { (tool) throws in
      #expect(try shell(tool, Self.run, "2>&1 >/dev/null | head -c 1 >/dev/null") == 0)
      #expect(try String(decoding: tool.data("run/record.json"), as: UTF8.self).contains("\"finished\""))
    }
  }

  @Test func outputIntoAClosedPipeEndsQuietly() throws {
    try withTool { (tool) throws in
      #expect(try shell(tool, ["list", "--json"], "2>errors | { exec true; }") == 141)
      #expect(try tool.data("errors").isEmpty)
      #expect(try shell(tool, ["list", "--json"], ">/dev/full") == 1)
    }
  }

  @Test func aClosedTerminalLeavesARunThatGoesOn() throws {
    try withTool { (tool) throws in
      let process = try Running(Self.run + ["--epochs", "30"], in: tool.folder)
      process.wait(for: "Training 1/30: accuracy")
      process.send(SIGHUP)
      let result = try process.wait()
      #expect(result.code == 129 && result.errors.contains("SIGHUP"), "\(result.code) \(result.errors)")
      #expect(try String(decoding: tool.data("run/record.json"), as: UTF8.self).contains("\"interrupted\""))
    }
  }

  @Test func quitEndsAtOnce() throws {
    try withTool { (tool) throws in
      let process = try Running(Self.run + ["--epochs", "300"], in: tool.folder)
      process.wait(for: "Training 1/300: accuracy")
      let start = Date()
      process.send(SIGQUIT)
      #expect(try process.wait().code == 128 + SIGQUIT)
      #expect(Date().timeIntervalSince(start) < 5)
    }
  }
}
