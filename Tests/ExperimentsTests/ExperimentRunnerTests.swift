import Backdoor
import Defenses
import Evaluation
import Files
import Foundation
import Support
import Synchronization
import TestFiles
import TestSupport
import Testing
import Torch
import Vision

@testable import Experiments

/// Whole runs on a hundred generated images.
@Suite struct ExperimentRunnerTests {
  /// Two epochs of three batches, then two epochs of two batches.
  private static let base: JSONValue = [
    "precision": "float32", "dataset": ["train": 96, "test": 40, "size": 28], "model": ["name": "cnn", "width": 4],
    "recipe": ["epochs": 2, "batch": 32], "attack": ["rate": 0.2], "defense": ["epochs": 2, "batch": 10, "steps": 2],
    "clean": ["count": 20], "evaluation": ["riskSamples": 16, "samples": 3],
  ]
  private func configuration(_ changes: JSONValue = [:]) throws -> ExperimentConfiguration {
    // Another defense brings its own settings.
    var base = Self.base
    if changes["defense"] != nil { base["defense"] = nil }
    return try ExperimentConfiguration(SettingsTree.merge(base, changes))
  }
  private func run(_ folder: String, _ changes: JSONValue = [:], progress: any ProgressReporter = SilentProgress())
    throws -> RunRecord
  {
    try ExperimentRunner(configuration(changes), folder: folder, progress: progress, command: "antidote run").run()
  }
  private func model(_ folder: String, _ name: String = RunDirectory.modelName) throws -> [(
    key: String, tensor: Tensor
  )] {
    try Safetensors.load("\(folder)/\(name)").tensors.map { ($0.key, $0.tensor) }
  }

  @Test func recordIsComplete() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      let record = try run(folder)
      #expect(
        record.status == .finished && record.failure == nil && record.finished != nil
          && record.command == "antidote run")
      #expect(try record.configuration == configuration().resolved() && record.id == configuration().runID())
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

  /// In a ball without extent every search finds the plain errors, and in the defense's own they are more; a defense
  /// that searches nothing is measured in SAU's published ball.
  @Test func risksAreSearchedInTheDefensesOwnBall() throws {
    try withTemporaryFolder { parent in
      func record(_ name: String, _ settings: JSONValue) throws -> RunRecord {
        try run("\(parent)/\(name)/run", ["defense": SettingsTree.merge(["epochs": 0, "batch": 10], settings)])
      }
      let sau = try record("sau", ["name": "sau", "radius": 0, "steps": 2, "stepSize": 0.3])
      let vanilla = try record(
        "vanilla", ["name": "vanilla-at", "norm": "l2", "radius": 0, "start": "zero", "target": 3])
      let own = try record("own", ["name": "vanilla-at", "radius": 0.4, "clamp": true, "start": "uniform"])
      let ft = try record("ft", ["name": "ft"])
      let published = try record("published", ["name": "sau"])
      for record in [sau, vanilla] {
        let before = try #require(record.before)
        #expect(before.adversarialRisk == before.universalRisk)
        #expect(try #require(before.adversarialRisk) < #require(own.before?.adversarialRisk))
      }
      #expect(ft.before == published.before && own.before != published.before)
      #expect(sau.riskSearch == "linf radius 0.0, 2 steps of 0.3 from max, as in the defense")
      #expect(vanilla.riskSearch == "l2 radius 0.0, 5 steps of 0.2 from zero, as in the defense")
      #expect(own.riskSearch == "linf radius 0.4, inside [0,1], 5 steps of 0.2 from uniform, as in the defense")
      #expect(ft.riskSearch == "linf radius 0.2, 5 steps of 0.2 from max, as published for SAU")
      #expect(try RunDirectory.open("\(parent)/own/run").readRecord()?.riskSearch == own.riskSearch)
      let filtered = try run("\(parent)/none/run", ["defense": "none"])
      #expect(filtered.riskSearch == nil && filtered.before?.universalRisk == nil)
    }
  }

  /// The runner looks for Ctrl-C before each epoch and after each step: 2 * (1 + 3) in training, 2 * (1 + 2) in the
  /// defense.
  @Test func resumesWithTheSameResult() throws {
    try withTemporaryFolder { parent in
      let whole = try run("\(parent)/whole/run")
      let (backdoored, purified) = (
        try model("\(parent)/whole/run", ExperimentRunner.backdooredModelName), try model("\(parent)/whole/run")
      )
      for (checks, stage) in [(2, "train"), (6, "train"), (9, "sau"), (12, "sau")] {
        let folder = "\(parent)/after-\(checks)/run"  // A parent of its own: no backdoored model is shared.
        #expect(throws: Interrupted.self) { try Interruption.simulated(afterChecks: checks) { _ = try run(folder) } }
        let halfway = try RunDirectory.open(folder).readRecord()
        #expect(halfway?.status == .interrupted && halfway?.failure == nil)
        #expect(
          FileManager.default.fileExists(atPath: "\(folder)/\(ExperimentRunner.backdooredModelName)")
            == (stage == "sau"))

        let progress = RecordingProgress()
        let resumed = try run(folder, progress: progress)
        #expect(resumed.measurements == whole.measurements && resumed.samples == whole.samples, "after \(checks)")
        #expect(
          resumed.perturbations == whole.perturbations && resumed.defenseEffectiveness == whole.defenseEffectiveness)
        expectSame(
          try model(folder, ExperimentRunner.backdooredModelName), backdoored, "backdoored model after \(checks)")
        expectSame(try model(folder), purified, "purified after \(checks)")
        #expect(resumed.stages.map(\.epochs) == whole.stages.map(\.epochs))
        let metrics = try RunDirectory.open(folder).metrics.read()
        #expect(
          metrics.map(\.epoch) == [1, 2, 1, 2] && metrics.map(\.stage) == ["train", "train", "sau", "sau"],
          "no epoch twice")
        #expect(
          progress.messages.contains { $0.contains("going on after epoch 1 of 2") } == (checks == 6 || checks == 12))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(!files.contains { $0.hasPrefix("checkpoint") }, "\(files)")
      }
    }
  }

  /// The command of a finished run computes nothing and loses nothing.
  @Test func finishedRunsStay() throws {
    try withTemporaryFolder { parent in
      let first = try run("\(parent)/run")
      let backdoored = try Data(
        contentsOf: URL(fileURLWithPath: "\(parent)/run/\(ExperimentRunner.backdooredModelName)"))
      let files = ["record.json", "metrics.jsonl", "model.safetensors"].map { "\(parent)/run/\($0)" }
      let contents = try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
      let progress = RecordingProgress()
      let again = try run("\(parent)/run", progress: progress)
      #expect(progress.messages.contains { $0.contains("finished before") && $0.contains("\(parent)/run") })
      #expect(try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == contents)
      let stored = try RunDirectory.open("\(parent)/run").readRecord()
      #expect(again.measurements == first.measurements && stored?.measurements == first.measurements)
      #expect(
        try Data(contentsOf: URL(fileURLWithPath: "\(parent)/run/\(ExperimentRunner.backdooredModelName)"))
          == backdoored)
    }
  }

  /// The runs of a grid share their backdoored models: one trained in the same way is taken from a sibling, any other
  /// is not.
  @Test func backdooredModelsAreShared() throws {
    try withTemporaryFolder { parent in
      let first = try run("\(parent)/first")
      let second = try run("\(parent)/second", ["defense": ["name": "ft", "epochs": 1]])
      expectSame(
        try model("\(parent)/second", ExperimentRunner.backdooredModelName),
        try model("\(parent)/first", ExperimentRunner.backdooredModelName))
      #expect(second.before?.accuracy == first.before?.accuracy && second.stages.map(\.name) == ["train", "ft"])
      let metrics = try RunDirectory.open("\(parent)/second").metrics.read()
      #expect(metrics.map(\.stage) == ["train", "train", "ft"] && metrics.map(\.epoch) == [1, 2, 1])

      for changes: JSONValue in [
        ["seed": 1], ["attack": ["rate": 0.3]], ["recipe": ["epochs": 1]], ["model": ["width": 5]],
      ] {
        let progress = RecordingProgress()
        _ = try run(
          "\(parent)/\(configuration(changes).runID())", SettingsTree.merge(changes, ["defense": "none"]),
          progress: progress)
        #expect(!progress.messages.contains { $0.contains("the same model") }, "\(changes.compactJSON)")
      }
    }
  }

  /// A file that its run did not make, or not in this way, is another model.
  @Test func backdooredModelsAreChecked() throws {
    try withTemporaryFolder { parent in
      _ = try run("\(parent)/first", ["defense": "none"])
      let path = "\(parent)/first/\(ExperimentRunner.backdooredModelName)"
      let other = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 3, width: 4, imageSize: 28)).make(
        Generator(seed: 1))
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      var record = try #require(try RunDirectory.open("\(parent)/first").readRecord())
      let file = "\(parent)/first/\(RunDirectory.recordName)"
      func expectNotTaken(_ name: String, _ reason: String) throws {
        let progress = RecordingProgress()
        let taken = try run("\(parent)/\(name)", ["defense": ["name": "ft", "epochs": 1]], progress: progress)
        #expect(
          progress.messages.contains { $0.contains("\(path) is not taken") && $0.contains(reason) },
          "\(progress.messages)")
        #expect(taken.stages.map(\.name) == ["train", "ft"])
        try FileSystem.remove("\(parent)/\(name)")
      }
      try other.save(path)
      try expectNotTaken("second", "it is not the file that its run made")
      // A record that was made to fit.
      record.artifacts[ExperimentRunner.backdooredModelName]?.sha256 = try Digest.sha256Hex(file: path)
      try AtomicFile.write(record.encoded(), to: file)
      try expectNotTaken("third", "another architecture or other classes")
      try whole.write(to: URL(fileURLWithPath: path))
      record.artifacts[ExperimentRunner.backdooredModelName]?.sha256 = try Digest.sha256Hex(file: path)
      record.artifacts[ExperimentRunner.backdooredModelName]?.threads += 1
      try AtomicFile.write(record.encoded(), to: file)
      try expectNotTaken("fourth", "threads")
      record.artifacts = [:]
      try AtomicFile.write(record.encoded(), to: file)
      try expectNotTaken("fifth", "does not know it")
    }
  }

  /// A run goes on with the files that it made and no others.
  @Test func theRunsOwnFilesAreChecked() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run", path = "\(folder)/\(ExperimentRunner.backdooredModelName)"
      #expect(throws: Interrupted.self) { try Interruption.simulated(afterChecks: 9) { _ = try run(folder) } }
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try ModelSpec(kind: "cnn", shape: ModelShape(classes: 3, width: 4, imageSize: 28)).make(Generator(seed: 1)).save(
        path)
      let error = #expect(throws: RunStoreError.self) { _ = try run(folder) }
      #expect(error == .replaced(path: path) && error.map { "\($0)" }?.contains("remove it to make it again") == true)
      // Without it the training ends as it did.
      try FileSystem.remove(path)
      _ = try run(folder)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
    }
  }

  /// What a process left that was killed just before its end goes with the next start.
  @Test func aFinishedRunIsCleanedUp() throws {
    try withTemporaryFolder { parent in
      _ = try run("\(parent)/run", ["defense": "none"])
      let names = [
        "checkpoint-train.safetensors", ".antidote-77-0123456789abcdef.tmp",
        "samples/.antidote-77-0123456789abcdef.tmp",
      ]
      for name in names { try AtomicFile.write("x", to: "\(parent)/run/\(name)") }
      _ = try run("\(parent)/run", ["defense": "none"])
      for name in names { #expect(!FileSystem.exists("\(parent)/run/\(name)"), "\(name)") }
    }
  }

  /// The images of the risks are drawn by class and by the run's seed.
  @Test func theRisksAreThoseOfADrawBySeed() throws {
    try withTemporaryFolder { parent in
      var differs = false
      for seed in [3, 4] {
        let changes: JSONValue = [
          "seed": .int(seed), "evaluation": ["riskSamples": 10], "defense": ["name": "ft", "epochs": 0],
        ]
        let folder = "\(parent)/\(seed)", configuration = try configuration(changes)
        let measured = try #require(try run(folder, changes).before)
        let test = try ImageDataset.load(configuration.dataset, .test)
        let tasks = try #require(try configuration.makeAttack()).tasks(
          for: test.shape, seed: configuration.seed.stream("attack"))
        let evaluator = BackdoorEvaluator(test: test, tasks: tasks, seed: configuration.seed)
        let model = try Classifier.open("\(folder)/\(ExperimentRunner.backdooredModelName)")
        let context = try configuration.makeContext(progress: SilentProgress())
        func risks(_ positions: [Int]) -> Risks {
          RiskEvaluator(
            images: test.subset(positions), triggered: [evaluator.triggered().subset(positions)],
            targets: [positions.map { evaluator.target($0) }], reference: model, adversary: .init(), context: context
          ).measure(model.prepared(for: context), context: context)
        }
        let drawn = test.stratifiedSample(count: 10, seed: configuration.seed, stream: "risks/samples")
        #expect(Set(drawn.map { test.labelArray()[$0] }).count == 10, "one of each class")
        let found = risks(drawn)
        #expect(measured.adversarialRisk == found.adversarial && measured.backdoorRisk == found.backdoor)
        #expect(measured.riskCount == 10)
        let first = risks(Array(0..<10))
        differs = differs || first.adversarial != found.adversarial || first.backdoor != found.backdoor
      }
      #expect(differs, "other images have other risks")
    }
  }

  /// A run measures on test images: without a test split it stops before it trains.
  @Test func withoutATestSplit() throws {
    try withTemporaryFolder { parent in
      let data = "\(parent)/data"
      try TensorFiles.write(
        ImageDataset.load(configuration().dataset, .train), split: .train, folder: data)
      let changes: JSONValue = ["dataset": ["name": "tensors", "path": .string(data)]]
      let error = #expect(throws: JobError.self) { _ = try run("\(parent)/run", changes) }
      let text = error.map { "\($0)" } ?? ""
      #expect(text.contains("\(data): there is no test split to measure on. A run needs"))
      #expect(text.contains("test.safetensors"))
      #expect(try RunDirectory.open("\(parent)/run").metrics.read().isEmpty)
    }
  }

  /// The clean images have to be of the size that the suspicious ones have.
  @Test func cleanImagesOfAnotherSize() throws {
    try withTemporaryFolder { parent in
      let configuration = try configuration(["defense": ["name": "ft", "epochs": 0]])
      let names = try ImageDataset.load(configuration.dataset, .train).classNames
      try TensorFiles.write(
        ImageDataset(
          name: "tensors", images: .zeros([10, 3, 20, 24], dtype: .uint8), labels: Tensor((0..<10).map(Int64.init)),
          classNames: names),
        split: .train, folder: "\(parent)/clean")
      let model = "\(parent)/m.safetensors"
      try ModelSpec(kind: "cnn", shape: ModelShape(classes: 10, width: 4, imageSize: 28)).make(Generator(seed: 1))
        .save(model)
      var clean = DatasetSettings()
      (clean.name, clean.path) = ("tensors", "\(parent)/clean")
      let job = DefenseJob(configuration, model: ModelFile(model), cleanData: clean, output: "\(parent)/out")
      let error = #expect(throws: JobError.self) { try job.run(progress: SilentProgress()) }
      let text = error.map { "\($0)" } ?? ""
      #expect(
        text.contains("\(parent)/clean: the clean images are 24x20 pixels, those of the data set generated 28x28"))
      #expect(text.contains("--set dataset.size=28"))
      #expect(!FileSystem.exists("\(parent)/out") && !FileSystem.exists("\(parent)/out.work"))
    }
  }

  @Test func anotherConfigurationIsRefused() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      #expect(throws: Interrupted.self) { try Interruption.simulated { _ = try run(folder) } }
      let before = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/record.json"))
      let error = #expect(throws: RunStoreError.self) { _ = try run(folder, ["attack": ["rate": 0.1]]) }
      guard case .belongsToAnotherRun = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/record.json")) == before)
    }
  }

  @Test func withoutAttack() throws {
    try withTemporaryFolder { parent in
      let record = try run("\(parent)/run", ["attack": "none", "defense": ["name": "ft", "epochs": 1]])
      #expect(record.poison == nil && record.samples.isEmpty && record.defenseEffectiveness == nil)
      #expect(
        record.measurements.count == 2
          && record.measurements.allSatisfy { $0.attackSuccessRate == nil && $0.triggeredCount == nil })
      #expect(record.after?.sharedAdversarialRisk != nil && record.after?.backdoorRisk == nil)
    }
  }

  @Test func withoutDefense() throws {
    try withTemporaryFolder { parent in
      let record = try run("\(parent)/run", ["defense": "none", "evaluation": ["every": 0]])
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
      #expect(throws: (any Error).self) { _ = try run(folder, ["attack": ["mapping": "clean-label", "rate": 0.9]]) }
      let record = try RunDirectory.open(folder).readRecord()
      #expect(record?.status == .failed && record?.failure?.contains("largest possible rate") == true)
    }
  }

  /// The clean split can be kept apart from what the attacker poisons.
  @Test func disjointSplit() throws {
    try withTemporaryFolder { parent in
      let record = try run("\(parent)/run", ["clean": ["disjoint": true], "defense": "none"])
      #expect(record.poison?.poisonedCount == 15, "a fifth of 76")
    }
  }

  private static let decoupled: JSONValue = [
    "pretrain": ["epochs": 2, "batch": 32], "tune": ["epochs": 2, "batch": 32],
    "finetune": ["epochs": 2, "iterations": 2, "batch": 8],
  ]

  /// Notes at the message that announces a map what the run directory holds.
  private final class MapWatch: ProgressReporter {
    let folder: String
    private let seen = Mutex<[String]>([])
    var files: [String] { seen.withLock { $0 } }
    init(_ folder: String) { self.folder = folder }
    func begin(_ title: String, total: Int, unit: String) {}
    func update(done: Int, note: @autoclosure () -> String) {}
    func end(summary: String) {}
    func message(_ text: String) {
      guard text.contains("t-SNE") else { return }
      let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      let measured = (try? RunDirectory.open(folder).readRecord())?.after == nil ? [] : ["after"]
      seen.withLock { $0 = files + measured }
    }
  }

  /// Everything that took long is there before a map is drawn; the map has all of the poison and a share of the rest.
  @Test func theModelIsSavedBeforeTheMaps() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      var settings = Self.decoupled
      settings["name"] = "dbd"
      let watch = MapWatch(folder)
      let record = try run(
        folder, ["defense": settings, "evaluation": ["mapClean": 0.5, "mapPoints": 80]], progress: watch)
      #expect(Set(watch.files).isSuperset(of: [RunDirectory.modelName, SampleFindings.tableName, "after"]))
      let map = try #require(record.findings?.maps.first)
      // 19 of 96 are poisoned, half of the other 77 are 39 (rounded up).
      #expect(map.poisoned.count { $0 } == 19 && map.poisoned.count { !$0 } == 39)
      #expect(record.findings?.filteringRates?.isEmpty == false)
    }
  }

  /// A defense that trains by itself: what it learned from, what it believes of each sample, and how its last epochs
  /// did.
  @Test func aTrainingTimeDefense() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      let record = try run(
        folder,
        [
          "defense": [
            "name": "prl-at", "rule": ["rate": 0.25], "recipe": ["epochs": 3, "batch": 32, "dropLast": false],
          ]
        ])
      #expect(
        record.stages.map(\.name) == ["train", "prl-at"] && record.measurements.map(\.label) == ["before", "after"])
      let findings = try #require(record.findings)
      let detection = try #require(findings.detection)
      #expect(detection.keptCount == 72 && detection.rejectedCount == 24 && detection.poisonedCount == 19)
      #expect(detection.areaUnderROC.map { (0...1).contains($0) } == true)
      #expect(
        findings.histograms.allSatisfy { ($0.clean + $0.poisoned).reduce(0, +) == 96 && $0.poisoned.reduce(0, +) == 19 }
      )
      let lines = try String(contentsOfFile: "\(folder)/samples.csv", encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 97 && lines[0].hasPrefix("index,label,kept,suspicion,") && lines[0].hasSuffix(",poisoned"))
      #expect(lines.dropFirst().count { $0.hasSuffix(",1") } == 19)

      let metrics = try RunDirectory.open(folder).metrics.read().filter { $0.stage == "prl-at" }
      #expect(metrics.count == 3)
      #expect(metrics.allSatisfy { $0.values[MetricName.poisonShareLearned].map { (0...1).contains($0) } == true })
      let means = try #require(record.lastEpochs)
      #expect(means.epochs == 3 && means.stage == "prl-at")
      #expect(abs(means.accuracy - metrics.compactMap { $0.values[MetricName.accuracy] }.reduce(0, +) / 3) < 1e-12)
    }
  }

  /// A sample filter gives no model: one is trained on what it kept.
  @Test func aSampleFilter() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run"
      var settings = Self.decoupled
      settings["finetune"] = nil
      settings["name"] = "dbd-filter"
      let record = try run(folder, ["defense": settings])
      #expect(record.stages.map(\.name) == ["train", "dbd-filter-pretrain", "dbd-filter-tune", "retrain"])
      #expect(record.stages.last?.epochs == 2 && record.findings?.detection?.keptCount == 48)
      // 19 poisoned, a tenth of the other 77.
      #expect(record.findings?.maps.first?.x.count == 27)
      let pictures = try #require(record.findings?.pictures)
      #expect(pictures.contains { $0.kept } && pictures.contains { !$0.kept })
      for picture in pictures { #expect(FileManager.default.fileExists(atPath: "\(folder)/\(picture.file)")) }
      #expect(record.after != nil && FileManager.default.fileExists(atPath: "\(folder)/\(RunDirectory.modelName)"))
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(!files.contains { $0.hasPrefix("checkpoint") }, "\(files)")
    }
  }

  /// Checks for Ctrl-C: 8 in training, 8 in each of the first two stages, 6 in the third.
  @Test func aSystemOfSeveralStagesGoesOnInItsStage() throws {
    try withTemporaryFolder { parent in
      var settings = Self.decoupled
      settings["name"] = "dbd"
      let changes: JSONValue = ["defense": settings]
      let whole = try run("\(parent)/whole/run", changes)
      let purified = try model("\(parent)/whole/run")
      for (checks, stage) in [(14, "dbd-pretrain"), (17, "dbd-tune"), (22, "dbd-tune"), (29, "dbd-mixmatch")] {
        let folder = "\(parent)/after-\(checks)/run"
        #expect(throws: Interrupted.self) {
          try Interruption.simulated(afterChecks: checks) { _ = try run(folder, changes) }
        }
        let progress = RecordingProgress()
        let resumed = try run(folder, changes, progress: progress)
        if checks != 17 {
          #expect(progress.messages.contains { $0.hasPrefix("\(stage): going on after epoch 1") }, "\(checks)")
        }
        #expect(resumed.measurements == whole.measurements && resumed.findings == whole.findings, "after \(checks)")
        expectSame(try model(folder), purified, "after \(checks)")
      }
    }
  }
}
