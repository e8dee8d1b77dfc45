import Foundation
import Testing

/// A process of the tool that may still be going on. Its output goes to files, which never block it.
final class Running {
  private let process = Process()
  private let outputPath: String
  private let errorPath: String

  init(_ arguments: [String], in folder: String, fileLimit: Int? = nil) throws {
    let logs = FileManager.default.temporaryDirectory.appendingPathComponent("antidote-cli-log-\(UUID().uuidString)")
      .path
    (outputPath, errorPath) = (logs + ".out", logs + ".err")
    for path in [outputPath, errorPath] { try Data().write(to: URL(fileURLWithPath: path)) }
    if let fileLimit {
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", "ulimit -f \(fileLimit / 1024) && exec \"$0\" \"$@\"", try Tool.binary()] + arguments
    } else {
      process.executableURL = URL(fileURLWithPath: try Tool.binary())
      process.arguments = arguments
    }
    // Threads that wait for each other cost more than such small work.
    process.environment = ProcessInfo.processInfo.environment.merging(["OMP_NUM_THREADS": "1"]) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: outputPath)
    process.standardError = FileHandle(forWritingAtPath: errorPath)
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    for path in [outputPath, errorPath] { try? FileManager.default.removeItem(atPath: path) }
  }

  var isRunning: Bool { process.isRunning }
  var processIdentifier: Int32 { process.processIdentifier }
  var errors: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }
  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  func wait() throws -> Tool.Result {
    process.waitUntilExit()
    let output = try String(contentsOfFile: outputPath, encoding: .utf8)
    let code =
      process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
    return Tool.Result(code: code, output: output, errors: errors)
  }

  /// Waits until standard error holds the text, or the process is over.
  func wait(for text: String) {
    while process.isRunning, !errors.contains(text) { usleep(5000) }
  }
}
