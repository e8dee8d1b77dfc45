import Files
import Foundation
import Support
import Torch

/// The Python side of a comparison: `peer.py` times what a user of Python tools gets on the same machine.
public struct BenchmarkPeer: Sendable {
  public let script: String
  public let python: String

  /// Finds the script and a Python that can run it.
  /// - Parameters:
  ///   - script: path of `peer.py`; by default `ANTIDOTE_PEER`, then `Benchmarks/peer.py` here and in the repository
  ///     that holds this program.
  ///   - python: an interpreter with torch, numpy and pillow; by default `ANTIDOTE_PYTHON`, then
  ///     `.deps/venv/bin/python`, then `python3`.
  ///   - environment: variables; this process's by default.
  /// - Throws: `BenchmarkError` that says what is missing and how to get it.
  public static func find(
    script: String? = nil, python: String? = nil, environment: [String: String]? = nil
  ) throws(BenchmarkError) -> BenchmarkPeer {
    let environment = environment ?? ProcessInfo.processInfo.environment
    let scripts = choice(script, environment["ANTIDOTE_PEER"], usualScripts)
    guard let script = scripts.first(where: { FileSystem.isFile($0) }) else {
      throw BenchmarkError(
        "--compare needs the peer's script, and there is none at \(scripts.joined(separator: ", ")). "
          + "Name it: --peer path/to/Benchmarks/peer.py, or ANTIDOTE_PEER=path/to/Benchmarks/peer.py.")
    }
    let pythons = choice(python, environment["ANTIDOTE_PYTHON"], [".deps/venv/bin/python", "python3"])
    guard
      let python = pythons.first(where: { (try? output([$0, "-c", "import torch, numpy, PIL"], quiet: true)) != nil })
    else {
      throw BenchmarkError(
        "--compare needs a Python with torch, numpy and pillow; tried \(pythons.joined(separator: ", ")). "
          + "Name one: --python path/to/python, or ANTIDOTE_PYTHON=path/to/python. "
          + "To make one: python3 -m venv ~/antidote-peer && ~/antidote-peer/bin/pip install torch numpy pillow.")
    }
    return BenchmarkPeer(script: script, python: python)
  }

  /// Here, and in the repository that holds this program, where SwiftPM built it.
  private static var usualScripts: [String] {
    let name = "Benchmarks/peer.py"
    guard let program = Bundle.main.executablePath, let build = program.range(of: "/.build/") else { return [name] }
    return [name, program[..<build.lowerBound] + "/" + name]
  }

  /// Who asks for a place by name gets that place or an error, not another one.
  private static func choice(_ option: String?, _ variable: String?, _ usual: [String]) -> [String] {
    if let named = option ?? variable, !named.isEmpty { return [named] }
    return usual
  }

  /// The peer's rows for some rows of one group, or all of the group's, in one measurement: images per second by name (`train/tuned`), and the numbers that
  /// both sides have to get.
  /// - Parameter inputs: a file that `Benchmark.saveInputs` wrote; nil for groups without one.
  /// - Throws: `BenchmarkError`.
  public func measure(
    _ rows: [Benchmark.Row], _ settings: Benchmark.Settings, threads: Int, compiled: Bool = false, inputs: String? = nil
  ) throws(BenchmarkError) -> (rates: [String: Double], values: [String: Double]) {
    // The peer's rows of other groups have names of their own.
    let names = rows.map { $0.group == DefenseWork.group ? $0.id : $0.group }
    var words = [
      python, script, "--rows", Set(names).sorted().joined(separator: ","), "--threads", String(threads), "--width",
      String(settings.width),
    ]
    words += ["--batch", String(settings.batch), "--sau-batch", String(settings.unlearningBatch)]
    words += ["--steps", String(settings.steps), "--repeat", "1"]
    if settings.device != .cpu { words += ["--device", settings.device.description] }
    if compiled { words.append("--compile") }
    if let inputs { words += ["--inputs", inputs] }
    if let data = settings.data { words += ["--data", data] }
    let text = try Self.output(words)
    guard let tree = try? JSONValue(json: text, source: script), let rates = tree["images_per_second"]?.objectValue
    else {
      throw BenchmarkError(
        "\(script) printed no table of images_per_second, so it is not the peer's script or not its version.")
    }
    let values = tree["values"]?.objectValue ?? [:]
    return (rates.compactMapValues(\.doubleValue), values.compactMapValues(\.doubleValue))
  }

  /// What a command prints.
  private static func output(_ words: [String], quiet: Bool = false) throws(BenchmarkError) -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    let pipe = Pipe()
    process.standardOutput = pipe
    if quiet { process.standardError = FileHandle.nullDevice }
    do {
      try process.run()
    } catch {
      throw BenchmarkError("\(words[0]) cannot be started: \(error.localizedDescription)")
    }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw BenchmarkError("\(words.joined(separator: " ")) failed with status \(process.terminationStatus).")
    }
    return String(decoding: data, as: UTF8.self)
  }
}

/// Why a comparison cannot be made.
public struct BenchmarkError: Error, CustomStringConvertible, Sendable {
  public let description: String
  init(_ description: String) { self.description = description }
}
