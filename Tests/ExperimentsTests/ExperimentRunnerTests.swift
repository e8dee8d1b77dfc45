import Evaluation
import Files
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Vision

@testable import Experiments

/// Whole runs: what they leave behind, and how they go on, fail and end.
@Suite struct ExperimentRunnerTests {
  private let tiny = TinyRun()

  @Test func recordIsComplete() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      let record = try tiny.run(folder)
      #expect(
        record.status == .finished && record.failure == nil && record.finished != nil
          && record.command == "antidote run")
      #expect(try record.configuration == tiny.configuration().resolved() && record.id == tiny.configuration().runID())
      #expect(
        record.dataset?.trainCount == 96 && record.dataset?.testCount == 40 && record.dataset?.classNames.count == 10)
      #expect(record.poison?.poisonedCount == 19 && record.poison?.targetLabel == 0 && record.poison?.rate == 0.2)
      #expect(record.defense?.name == "sau" && record.defense?.summary != nil)
      #expect(record.stages.map(\.name) == ["train", "sau"] && record.stages.map(\.epochs) == [2, 2])
      #expect(record.stages.allSatisfy { $0.seconds > 0 && ($0.imagesPerSecond ?? 0) > 0 })
      #expect(try #require(record.seconds) > record.stages.reduce(0) { $0 + $1.seconds })
      #expect(record.measurements.map(\.label) == ["before", "after"])
      for m in record.measurements {
        #expect(m.cleanCount == 40 && m.attackSuccessRate != nil && m.robustAccuracy != nil && m.triggeredCount == 36)
        #expect(
          m.backdoorRisk != nil && m.adversarialRisk != nil && m.sharedAdversarialRisk != nil && m.riskCount == 16)
        #expect(m.subAdversarialRisk != nil && m.universalRisk != nil && m.universalSubRisk != nil)
        #expect(m.targetedRisk != nil && m.targetedSubRisk != nil)
        // Sixteen images in the proportions of ten classes: one or two are of the target's.
        #expect([14, 15].contains(try #require(m.riskAimedCount)))
        let aimed = Double(try #require(m.riskAimedCount))
        for share in [m.backdoorRisk, m.adversarialRisk, m.subAdversarialRisk, m.universalRisk, m.targetedSubRisk] {
          let hits = try #require(share) * aimed
          #expect(abs(hits - hits.rounded()) < 1e-9)
        }
      }
      let (before, after) = (try #require(record.before), try #require(record.after))
      #expect(record.defenseEffectiveness == DefenseEffectiveness.rating(before: before, after: after))
      #expect(record.samples.count == 3 && record.perturbations.count == 3)
      for sample in record.samples {
        #expect(sample.label != 0 && sample.target == 0 && sample.predictions.map(\.model) == ["before", "after"])
        for file in [sample.clean, sample.triggered, sample.difference] {
          #expect(FileManager.default.fileExists(atPath: "\(folder)/\(try #require(file))"))
        }
      }
      #expect(record.flags.map(\.id).contains(RunFlag.fewTestImages.rawValue))

      let directory = try RunDirectory.open(folder)
      // Dates are stored by the second.
      #expect(try directory.readRecord()?.measurements == record.measurements)
      let metrics = try directory.metrics.read()
      #expect(metrics.map(\.stage) == ["train", "train", "sau", "sau"] && metrics.map(\.epoch) == [1, 2, 1, 2])
      for entry in metrics {
        #expect(entry.values[MetricName.trainLoss] != nil && entry.values[MetricName.accuracy] != nil)
        #expect(entry.values[MetricName.attackSuccessRate] != nil && entry.values[MetricName.learningRate] != nil)
        for name in [
          MetricName.sharedAdversarialRisk, MetricName.subAdversarialRisk, MetricName.universalRisk,
          MetricName.universalSubRisk, MetricName.targetedRisk, MetricName.targetedSubRisk,
        ] { #expect((entry.values[name] != nil) == (entry.stage == "sau"), "\(name)") }
      }
      #expect(
        metrics[1].values[MetricName.accuracy] == before.accuracy
          && metrics[3].values[MetricName.accuracy] == after.accuracy)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(!files.contains { $0.hasPrefix("checkpoint") }, "\(files)")
      #expect(files.contains(ExperimentRunner.backdooredModelName) && files.contains(RunDirectory.modelName))
    }
  }

  /// The runner looks for Ctrl-C before each epoch and after each step: 2 * (1 + 3) in training, 2 * (1 + 2) in the
  /// defense.
  @Test func resumesWithTheSameResult() throws {
    try withTemporaryFolder { parent in
      let whole = try tiny.run("\(parent)/whole/run")
      let (backdoored, purified) = (
        try tiny.model("\(parent)/whole/run", ExperimentRunner.backdooredModelName),
        try tiny.model("\(parent)/whole/run")
      )
      // In both epochs of the training, while risks are measured, and in both epochs of the defense.
      for (checks, stage, goesOn) in [
        (2, "train", false), (6, "train", true), (10, "sau", false), (16, "sau", false), (24, "sau", true),
      ] {
        let folder = "\(parent)/after-\(checks)/run"  // A parent of its own: no backdoored model is shared.
        #expect(throws: Interrupted.self) {
          try Interruption.simulated(afterChecks: checks) { _ = try tiny.run(folder) }
        }
        let halfway = try RunDirectory.open(folder).readRecord()
        #expect(halfway?.status == .interrupted && halfway?.failure == nil)
        #expect(
          FileManager.default.fileExists(atPath: "\(folder)/\(ExperimentRunner.backdooredModelName)")
            == (stage == "sau"))

        let progress = RecordingProgress()
        let resumed = try tiny.run(folder, progress: progress)
        #expect(resumed.measurements == whole.measurements && resumed.samples == whole.samples, "after \(checks)")
        #expect(
          resumed.perturbations == whole.perturbations && resumed.defenseEffectiveness == whole.defenseEffectiveness)
        expectSame(
          try tiny.model(folder, ExperimentRunner.backdooredModelName), backdoored, "backdoored model after \(checks)")
        expectSame(try tiny.model(folder), purified, "purified after \(checks)")
        #expect(resumed.stages.map(\.epochs) == whole.stages.map(\.epochs))
        let metrics = try RunDirectory.open(folder).metrics.read()
        #expect(
          metrics.map(\.epoch) == [1, 2, 1, 2] && metrics.map(\.stage) == ["train", "train", "sau", "sau"],
          "no epoch twice")
        #expect(
          progress.messages.contains { $0.contains("going on after epoch 1 of 2") } == goesOn, "after \(checks)")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!files.contains { $0.hasPrefix("checkpoint") }, "\(files)")
      }
    }
  }

  /// The command of a finished run computes nothing and loses nothing.
  @Test func finishedRunsStay() throws {
    try withTemporaryFolder { parent in
      let first = try tiny.run("\(parent)/run")
      let backdoored = try Data(
        contentsOf: URL(fileURLWithPath: "\(parent)/run/\(ExperimentRunner.backdooredModelName)"))
      let files = ["record.json", "metrics.jsonl", "model.safetensors"].map { "\(parent)/run/\($0)" }
      let contents = try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
      let progress = RecordingProgress()
      let again = try tiny.run("\(parent)/run", progress: progress)
      #expect(progress.messages.contains { $0.contains("finished before") && $0.contains("\(parent)/run") })
      #expect(try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == contents)
      let stored = try RunDirectory.open("\(parent)/run").readRecord()
      #expect(again.measurements == first.measurements && stored?.measurements == first.measurements)
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(parent)/run/\(ExperimentRunner.backdooredModelName)"))
          == backdoored)
    }
  }

  /// What a process left that was killed just before its end goes with the next start.
  @Test func aFinishedRunIsCleanedUp() throws {
    try withTemporaryFolder { parent in
      _ = try tiny.run("\(parent)/run", ["defense": "none"])
      let names = [
        "checkpoint-train.safetensors", ".antidote-77-0123456789abcdef.tmp",
        "samples/.antidote-77-0123456789abcdef.tmp",
      ]
      for name in names { try AtomicFile.write("x", to: "\(parent)/run/\(name)") }
      _ = try tiny.run("\(parent)/run", ["defense": "none"])
      for name in names { #expect(!FileSystem.exists("\(parent)/run/\(name)"), "\(name)") }
    }
  }

  /// A run measures on test images: without a test split, and where none may be held out, it stops before it trains.
  @Test func withoutATestSplit() throws {
    try withTemporaryFolder { parent in
      let data = "\(parent)/data"
      try TensorFiles.write(
        ImageDataset.load(tiny.configuration().dataset, .train), split: .train, folder: data)
      let changes: JSONValue = ["dataset": ["name": "tensors", "path": .string(data), "holdOut": 0]]
      let error = #expect(throws: JobError.self) { _ = try tiny.run("\(parent)/run", changes) }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("\(data): there are no test images to measure on: dataset.holdOut is 0"))
      #expect(try RunDirectory.open("\(parent)/run").metrics.read().isEmpty)
    }
  }

  @Test func anotherConfigurationIsRefused() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      #expect(throws: Interrupted.self) { try Interruption.simulated { _ = try tiny.run(folder) } }
      let before = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/record.json"))
      let error = #expect(throws: RunStoreError.self) { _ = try tiny.run(folder, ["attack": ["rate": 0.1]]) }
      guard case .belongsToAnotherRun = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/record.json")) == before)
    }
  }

  @Test func withoutAttack() throws {
    try withTemporaryFolder { parent in
      let record = try tiny.run("\(parent)/run", ["attack": "none", "defense": ["name": "ft", "epochs": 1]])
      #expect(record.poison == nil && record.samples.isEmpty && record.defenseEffectiveness == nil)
      #expect(
        record.measurements.count == 2
          && record.measurements.allSatisfy { $0.attackSuccessRate == nil && $0.triggeredCount == nil })
      #expect(record.after?.sharedAdversarialRisk != nil && record.after?.backdoorRisk == nil)
    }
  }

  @Test func withoutDefense() throws {
    try withTemporaryFolder { parent in
      let record = try tiny.run("\(parent)/run", ["defense": "none", "evaluation": ["every": 0]])
      #expect(record.status == .finished && record.measurements.map(\.label) == ["before"] && record.defense == nil)
      #expect(record.samples.count == 3 && record.samples[0].predictions.map(\.model) == ["before"])
      let metrics = try RunDirectory.open("\(parent)/run").metrics.read()
      #expect(metrics.count == 2 && metrics[0].values[MetricName.accuracy] == nil)
    }
  }

  /// What went wrong stands in the record, and the error says it too.
  @Test func failuresAreRecorded() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      #expect(throws: (any Error).self) {
        _ = try tiny.run(folder, ["attack": ["mapping": "clean-label", "rate": 0.9]])
      }
      let record = try RunDirectory.open(folder).readRecord()
      #expect(record?.status == .failed && record?.failure?.contains("largest possible rate") == true)
    }
  }

  /// The clean split can be kept apart from what the attacker poisons.
  @Test func disjointSplit() throws {
    try withTemporaryFolder { parent in
      let record = try tiny.run("\(parent)/run", ["clean": ["disjoint": true], "defense": "none"])
      #expect(record.poison?.poisonedCount == 15, "a fifth of 76")
    }
  }
}
