import Files
import Experiments
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Torch
import Training

/// What `threads: auto` and `precision: auto` stand for, and that work which goes on keeps it. Serialised: the number
/// of threads belongs to the process.
@Suite(.serialized) struct ComputePlanTests {
  private static let slow = PrecisionProbe(.init(float32: 1, bfloat16: 1.6))
  private static let fast = PrecisionProbe(.init(float32: 1.6, bfloat16: 1))

  private func settings(_ yaml: String = "{}") throws -> GeneralSettings {
    try ExperimentConfiguration(SettingsTree.merge(["device": "cpu"], JSONValue(yaml: yaml))).general
  }
  /// A machine of 8 cores of which so many are free.
  private func machine(free: Int) -> CPUAvailability {
    let before = (0..<8).map { "cpu\($0) 0 0 0 0" }.joined(separator: "\n")
    let after = (0..<8).map { $0 < free ? "cpu\($0) 0 0 0 20" : "cpu\($0) 20 0 0 0" }.joined(separator: "\n")
    return CPUAvailability(
      before: CPUTimes(stat: before), after: CPUTimes(stat: after), status: "", quota: nil, cores: 8)
  }
  private func plan(
    _ yaml: String, free: Int, most: Int = 8, earlier: ComputePlan.Earlier? = nil, probe: PrecisionProbe = slow
  ) throws -> ComputePlan {
    let threads = Runtime.threadCount
    defer { Runtime.threadCount = threads }
    return try ComputePlan(
      settings(yaml), goingOnFrom: earlier, most: most, availability: { machine(free: free) }, probe: probe)
  }

  @Test func whatTheSettingTakes() throws {
    for text in ["{}", "{threads: auto}", "{threads: null}", #"{threads: "auto"}"#] {
      #expect(try settings(text).threads == .auto, "\(text)")
    }
    #expect(try settings("{threads: 3}").threads == .count(3))
    for (text, message) in [
      ("many", "auto or a whole number"), ("0", "out of range"), ("1.5", "whole number"), ("[2]", "whole number"),
    ] {
      let error = #expect(throws: SettingsError.self) { _ = try settings("{threads: \(text)}") }
      #expect(
        error?.issues.map(\.path) == ["threads"] && error?.description.contains(message) == true,
        "\(String(describing: error))")
    }
    #expect(ThreadChoice("auto") == .auto && ThreadChoice("2") == .count(2))
    #expect(ThreadChoice("0") == nil && ThreadChoice("two") == nil && ThreadChoice("") == nil)
  }

  /// The number of threads is in no id. The default's changed since version 0.1, with new settings of its attack and its
  /// defense and another meaning of `start: random` there.
  @Test func idsStay() throws {
    let base = try ExperimentConfiguration([:])
    for threads: JSONValue in ["auto", .null, 1, 7] {
      let other = try ExperimentConfiguration(["threads": threads])
      #expect(try other.runID() == base.runID() && other.backdooredModelID() == base.backdooredModelID())
    }
    let id = try base.runID()
    #expect(id == "a7b7eede6a79")
  }

  @Test func autoTakesTheFreeCores() throws {
    #expect(
      try plan("{}", free: 0).threads == 1 && plan("{}", free: 5).threads == 5 && plan("{}", free: 8).threads == 8)
    #expect(try plan("{}", free: 5).threadsReason == "5.0 of 8 cores are free")
    let bound = try plan("{}", free: 5, most: 2)
    #expect(bound.threads == 2 && bound.threadsReason.contains("OMP_NUM_THREADS"))
  }

  @Test func aNumberIsTaken() throws {
    let given = try plan("{threads: 6, precision: bfloat16}", free: 0)
    #expect(given.threads == 6 && given.precision == .bfloat16)
    #expect(given.description == "computing on cpu with 6 threads (as asked) in bfloat16 (as asked)")
  }

  @Test func autoTakesTheFasterPrecision() throws {
    #expect(try plan("{}", free: 1).description.hasSuffix("in float32 (1.6 times as fast as bfloat16 here)"))
    #expect(try plan("{}", free: 1, probe: Self.fast).precision == .bfloat16)
    #expect(try plan("{}", free: 1, probe: PrecisionProbe(nil)).precision == .float32)
  }

  @Test func whatGoesOnKeepsBoth() throws {
    let earlier = ComputePlan.Earlier(threads: 3, precision: .bfloat16)
    let kept = try plan("{}", free: 8, earlier: earlier)
    #expect(kept.threads == 3 && kept.precision == .bfloat16 && kept.threadsReason == "as it began")
    // A number given by hand counts more, and the user hears what follows.
    let changed = try plan("{threads: 1}", free: 8, earlier: earlier)
    #expect(changed.threads == 1 && changed.threadsReason.contains("after 3 before"))
    #expect(try plan("{threads: 3}", free: 8, earlier: earlier).threadsReason == "as asked")
    let elsewhere = ComputePlan.Earlier(threads: 3, precision: .bfloat16, device: "cuda:0")
    #expect(
      try plan("{}", free: 8, earlier: elsewhere).description.hasPrefix("computing on cpu, after cuda:0 before: "))
    let same = ComputePlan.Earlier(threads: 3, precision: .bfloat16, device: "cpu")
    #expect(try plan("{}", free: 8, earlier: same).description.hasPrefix("computing on cpu with 3 threads"))
  }

  private static let tiny: JSONValue = [
    "device": "cpu", "precision": "float32", "dataset": ["train": 96, "test": 40, "size": 28],
    "model": ["name": "cnn", "width": 4],
    "recipe": ["epochs": 2, "batch": 32], "attack": ["rate": 0.2], "defense": "none",
    "evaluation": ["riskSamples": 0, "samples": 0],
  ]

  /// Stopped after an epoch with a number of threads that `auto` would not take, and continued with auto.
  @Test func aRunGoesOnWithItsThreads() throws {
    let threads = Runtime.threadCount
    defer { Runtime.threadCount = threads }
    let began = max(CPUAvailability.measured(seconds: 0).cores, Runtime.defaultThreadCount) + 1
    try withTemporaryFolder { parent in
      func run(_ changes: JSONValue, progress: any ProgressReporter = SilentProgress()) throws -> RunRecord {
        let configuration = try ExperimentConfiguration(SettingsTree.merge(Self.tiny, changes))
        return try ExperimentRunner(configuration, folder: "\(parent)/run", progress: progress).run()
      }
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 6) { _ = try run(["threads": .int(began)]) }
      }
      let halfway = try #require(try RunDirectory.open("\(parent)/run").readRecord())
      #expect(halfway.environment.threads == began && halfway.environment.threadsReason == "as asked")
      #expect(halfway.environment.precisionReason == "as asked")
      let progress = RecordingProgress()
      let record = try run([:], progress: progress)
      #expect(
        record.status == .finished && record.environment.threads == began
          && record.environment.threadsReason == "as it began")
      #expect(Runtime.threadCount == began)
      #expect(progress.messages.contains { $0.hasPrefix("computing on cpu with \(began) threads (as it began)") })
      #expect(progress.messages.contains { $0.contains("going on after epoch 1 of 2") })
    }
  }

  @Test func aJobGoesOnWithItsThreads() throws {
    let threads = Runtime.threadCount
    defer { Runtime.threadCount = threads }
    let began = max(CPUAvailability.measured(seconds: 0).cores, Runtime.defaultThreadCount) + 1
    try withTemporaryFolder { parent in
      func run(_ changes: JSONValue, progress: any ProgressReporter = SilentProgress()) throws {
        let configuration = try ExperimentConfiguration(SettingsTree.merge(Self.tiny, changes))
        _ = try TrainingJob(configuration, output: "\(parent)/m.safetensors").run(progress: progress)
      }
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 6) { try run(["threads": .int(began)]) }
      }
      let progress = RecordingProgress()
      try run([:], progress: progress)
      #expect(
        progress.messages.first?.hasPrefix("computing on cpu with \(began) threads (as it began)") == true,
        "\(progress.messages)")
      #expect(Runtime.threadCount == began)
      #expect(try FileManager.default.contentsOfDirectory(atPath: parent) == ["m.safetensors"])
    }
  }

  /// The record of a run that auto decided; a precision that a probe would not choose here is kept.
  @Test func aRunGoesOnWithItsPrecision() throws {
    let threads = Runtime.threadCount
    defer { Runtime.threadCount = threads }
    try withTemporaryFolder { parent in
      let changes: JSONValue = ["precision": "auto", "threads": 1]
      func runner() throws -> ExperimentRunner {
        let configuration = try ExperimentConfiguration(SettingsTree.merge(Self.tiny, changes))
        return try ExperimentRunner(configuration, folder: "\(parent)/run", progress: SilentProgress())
      }
      #expect(throws: Interrupted.self) { try Interruption.simulated { _ = try runner().run() } }
      let path = "\(parent)/run/record.json"
      var record = try JSONValue(json: Data(contentsOf: URL(fileURLWithPath: path)), source: path)
      var environment = try #require(record["environment"])
      let other = environment["precision"] == "float32" ? "bfloat16 autocast" : "float32"
      environment["precision"] = .string(other)
      record["environment"] = environment
      try Data(record.prettyJSON.utf8).write(to: URL(fileURLWithPath: path))
      #expect(throws: Interrupted.self) { try Interruption.simulated { _ = try runner().run() } }
      let again = try #require(try RunDirectory.open("\(parent)/run").readRecord())
      #expect(again.environment.precision == other && again.environment.precisionReason == "as it began")
    }
  }
}
