import Foundation
import TestFiles
import Testing

/// The built command-line tool, run as a user runs it.
struct Tool {
  /// What a finished process left.
  struct Result {
    let code: Int32
    let output: String
    let errors: String
  }

  /// A data set and a model so small that an epoch takes a moment.
  static let tiny = [
    "--set", "dataset.train=300", "--set", "dataset.test=100", "--set", "evaluation.riskSamples=16", "--precision",
    "float32",
  ]
  static let tinyModel = ["--model", "cnn", "--width", "4", "--set", "recipe.batch=64"]

  /// The folder in which it runs.
  let folder: String

  /// ANTIDOTE_BINARY, or `antidote` beside the test bundle.
  static func binary() throws -> String {
    if let named = ProcessInfo.processInfo.environment["ANTIDOTE_BINARY"] { return named }
    let folders = [
      try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), CommandLine.arguments.first,
    ]
    let candidates = folders.compactMap {
      $0.map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("antidote").path }
    }
    return try #require(
      candidates.first { FileManager.default.isExecutableFile(atPath: $0) },
      "no antidote beside the test bundle; set ANTIDOTE_BINARY")
  }

  /// Runs to the end.
  /// - Parameter fileLimit: the largest file that it may write, in bytes.
  @discardableResult
  func run(_ arguments: [String], fileLimit: Int? = nil) throws -> Result {
    let process = try Running(arguments, in: folder, fileLimit: fileLimit)
    return try process.wait()
  }

  /// Runs to the end and expects success.
  @discardableResult
  func succeed(_ arguments: [String], _ location: SourceLocation = #_sourceLocation) throws -> String {
    let result = try run(arguments)
    #expect(result.code == 0, "\(arguments): \(result.errors)", sourceLocation: location)
    return result.output
  }

  /// Runs to the end and expects a refusal that says all of `words`, in at most a screen, without a trace of a crash.
  func refuse(
    _ arguments: [String], _ words: [String], fileLimit: Int? = nil, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let result = try run(arguments, fileLimit: fileLimit)
    #expect(result.code != 0 && result.code < 128, "exit code \(result.code)", sourceLocation: location)
    for word in words { #expect(result.errors.contains(word), "\(result.errors)", sourceLocation: location) }
    #expect(
      !result.errors.contains("Fatal error") && result.errors.count < 4000, "\(result.errors)", sourceLocation: location
    )
  }

  /// Names in the folder, hidden ones too.
  func files(_ path: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self.path(path)).sorted()
  }
  func path(_ name: String) -> String { "\(folder)/\(name)" }
  func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
  func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: path(name))) }
}

/// Runs `body` with a tool in a new folder, and removes the folder.
func withTool<R>(_ body: (Tool) throws -> R) throws -> R {
  try withTemporaryFolder { try body(Tool(folder: $0)) }
}
