import Evaluation
import Files
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Torch
import Vision

@testable import Experiments

/// Backdoored models that runs share, and files of a run that others may have changed.
@Suite struct SharedModelTests {
  private let tiny = TinyRun()

  /// The runs of a grid share their backdoored models: one trained in the same way is taken from a sibling, any other
  /// is not.
  @Test func backdooredModelsAreShared() throws {
    try withTemporaryFolder { parent in
      let first = try tiny.run("\(parent)/first")
      let second = try tiny.run("\(parent)/second", ["defense": ["name": "ft", "epochs": 1]])
      expectSame(
        try tiny.model("\(parent)/second", ExperimentRunner.backdooredModelName),
        try tiny.model("\(parent)/first", ExperimentRunner.backdooredModelName))
      #expect(second.before?.accuracy == first.before?.accuracy && second.stages.map(\.name) == ["train", "ft"])
      let metrics = try RunDirectory.open("\(parent)/second").metrics.read()
      #expect(metrics.map(\.stage) == ["train", "train", "ft"] && metrics.map(\.epoch) == [1, 2, 1])

      for changes: JSONValue in [
        ["seed": 1], ["attack": ["rate": 0.3]], ["recipe": ["epochs": 1]], ["model": ["width": 5]],
      ] {
        let progress = RecordingProgress()
        _ = try tiny.run(
          "\(parent)/\(tiny.configuration(changes).runID())", SettingsTree.merge(changes, ["defense": "none"]),
          progress: progress)
        #expect(!progress.messages.contains { $0.contains("the same model") }, "\(changes.compactJSON)")
      }
    }
  }

  /// Defenses that begin with the same features learn them once, and end with the bits that they have by themselves.
  @Test func featuresAreShared() throws {
    try withTemporaryFolder { parent in
      func variant(_ changes: JSONValue) -> JSONValue {
        ["defense": SettingsTree.merge(TinyRun.decoupled, changes)]
      }
      let first = variant(["name": "dbd", "variant": "ss-sce"])
      let second = variant(["name": "dbd", "variant": "ss-ce"])
      var third = variant(["name": "dbd-filter"])
      third["defense"]?["finetune"] = nil
      let shared = "the same features were learned"
      func run(_ folder: String, _ changes: JSONValue) throws -> (record: RunRecord, isShared: Bool) {
        let progress = RecordingProgress()
        let record = try tiny.run("\(parent)/\(folder)", changes, progress: progress)
        return (record, progress.messages.contains { $0.contains(shared) })
      }
      let (record, wasShared) = try run("grid/first", first)
      #expect(!wasShared && record.artifacts[ExperimentRunner.featuresName] != nil)
      for (name, changes) in [("second", second), ("third", third)] {
        let (record, isShared) = try run("grid/\(name)", changes)
        let (alone, _) = try run("\(name)/alone", changes)
        #expect(isShared && record.artifacts[ExperimentRunner.featuresName] != nil, "\(name)")
        #expect(record.measurements == alone.measurements && record.findings == alone.findings, "\(name)")
        #expect(record.stages.map(\.name) == alone.stages.map(\.name), "\(name)")
        for file in [RunDirectory.modelName, ExperimentRunner.featuresName] {
          expectSame(try tiny.model("\(parent)/grid/\(name)", file), try tiny.model("\(parent)/\(name)/alone", file))
        }
      }
      let (_, others) = try run("grid/fourth", variant(["name": "dbd", "pretrain": ["epochs": 1], "variant": "ss-ce"]))
      #expect(!others)
      // A file of other bytes is not taken.
      let file = "\(parent)/grid/first/\(ExperimentRunner.featuresName)"
      try Data("x".utf8).write(to: URL(fileURLWithPath: file))
      try FileSystem.remove("\(parent)/grid/second")
      try FileSystem.remove("\(parent)/grid/third")
      #expect(try !run("grid/fifth", second).isShared)
    }
  }

  /// A filter whose judgement is all that is asked for trains no model.
  @Test func aFilterByItself() throws {
    try withTemporaryFolder { parent in
      let filter: JSONValue = ["defense": ["name": "random-filter", "share": 0.25]]
      let whole = try tiny.run("\(parent)/whole", filter)
      let alone = try tiny.run("\(parent)/alone", SettingsTree.merge(filter, ["evaluation": ["retrain": false]]))
      #expect(alone.status == .finished && alone.after == nil && alone.defenseEffectiveness == nil)
      #expect(alone.findings?.detection == whole.findings?.detection && alone.findings?.detection?.rejectedCount == 24)
      #expect(whole.stages.map(\.name) == ["train", "retrain"] && alone.stages.map(\.name) == ["train"])
      #expect(!FileSystem.exists("\(parent)/alone/\(RunDirectory.modelName)"))
    }
  }

  /// Features that another run learned while this one waited for its claim are taken over.
  @Test func whatWasLearnedMeanwhileIsTaken() throws {
    struct Claims: StageClaims {
      let meanwhile: () throws -> Void
      func take(_ id: String, progress: any ProgressReporter) throws -> () -> Void {
        try meanwhile()
        return {}
      }
    }
    try withTemporaryFolder { parent in
      func variant(_ name: String) -> JSONValue {
        ["defense": SettingsTree.merge(TinyRun.decoupled, ["name": "dbd", "variant": .string(name)])]
      }
      let progress = RecordingProgress()
      _ = try tiny.run(
        "\(parent)/second", variant("ss-ce"), progress: progress,
        claims: Claims { _ = try tiny.run("\(parent)/first", variant("ss-sce")) })
      #expect(progress.messages.contains { $0.contains("the same features were learned") }, "\(progress.messages)")
    }
  }

  /// A run that stops after its features were learned goes on with them, and not with others.
  @Test func aRunGoesOnWithItsFeatures() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/run", path = "\(folder)/\(ExperimentRunner.featuresName)"
      let changes: JSONValue = [
        "defense": [
          "name": "dbd", "variant": "ss-ce", "pretrain": ["epochs": 1, "batch": 32],
          "tune": ["epochs": 2, "batch": 32],
        ]
      ]
      let whole = try tiny.run("\(parent)/whole/run", changes)
      // Eight looks for Ctrl-C in the training, four in the features.
      #expect(throws: Interrupted.self) {
        try Interruption.simulated(afterChecks: 13) { _ = try tiny.run(folder, changes) }
      }
      #expect(FileManager.default.fileExists(atPath: path))
      let progress = RecordingProgress()
      let record = try tiny.run(folder, changes, progress: progress)
      #expect(progress.messages.contains { $0.hasPrefix("pretrain: finished before") }, "\(progress.messages)")
      #expect(record.measurements == whole.measurements)
      expectSame(try tiny.model(folder), try tiny.model("\(parent)/whole/run"))
    }
  }

  /// What features depend on, and what they do not.
  @Test func whatIdentifiesFeatures() throws {
    func id(_ changes: JSONValue) throws -> String? {
      try ExperimentConfiguration(
        SettingsTree.merge(["dataset": ["name": "cifar10"], "defense": ["name": "dbd"]], changes)
      ).featuresID()
    }
    let base = try #require(try id([:]))
    for same: JSONValue in [
      ["defense": ["name": "dbd-filter"]], ["defense": ["variant": "ss-ce"]], ["defense": ["tune": ["epochs": 3]]],
      ["evaluation": ["every": 3]], ["clean": ["share": 0.2]], ["device": "cpu"],
    ] { #expect(try id(same) == base, "\(same.compactJSON)") }
    var found: Set<String> = [base]
    for other: JSONValue in [
      ["seed": 1], ["attack": ["rate": 0.2]], ["model": ["width": 8]], ["dataset": ["train": 100]],
      ["defense": ["pretrain": ["epochs": 3]]], ["defense": ["flip": false]],
      ["clean": ["share": 0.2, "disjoint": true]], ["precision": "float32"],
      ["defense": ["name": "prl-simclr"], "clean": ["unlabeled": 0.5]],
      ["defense": ["name": "prl-simclr"], "clean": ["unlabeledFrom": "cifar100"]],
      ["defense": ["name": "prl-simclr"], "clean": ["unlabeledFrom": "tiny-imagenet"]],
    ] { #expect(try found.insert(#require(try id(other))).inserted, "\(other.compactJSON)") }
    #expect(try id(["defense": ["variant": "no-ssl"]]) == nil && id(["defense": ["name": "prl"]]) == nil)
  }

  /// A file that its run did not make, or not in this way, is another model.
  @Test func backdooredModelsAreChecked() throws {
    try withTemporaryFolder { parent in
      _ = try tiny.run("\(parent)/first", ["defense": "none"])
      let path = "\(parent)/first/\(ExperimentRunner.backdooredModelName)"
      let other = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 3, width: 4, imageSize: 28)).make(
        Generator(seed: 1))
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      var record = try #require(try RunDirectory.open("\(parent)/first").readRecord())
      let file = "\(parent)/first/\(RunDirectory.recordName)"
      func expectNotTaken(_ name: String, _ reason: String) throws {
        let progress = RecordingProgress()
        let taken = try tiny.run("\(parent)/\(name)", ["defense": ["name": "ft", "epochs": 1]], progress: progress)
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
      #expect(throws: Interrupted.self) { try Interruption.simulated(afterChecks: 9) { _ = try tiny.run(folder) } }
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try ModelSpec(kind: "cnn", shape: ModelShape(classes: 3, width: 4, imageSize: 28)).make(Generator(seed: 1)).save(
        path)
      let error = #expect(throws: RunStoreError.self) { _ = try tiny.run(folder) }
      #expect(error == .replaced(path: path) && error.map { "\($0)" }?.contains("remove it to make it again") == true)
      // Without it the training ends as it did.
      try FileSystem.remove(path)
      _ = try tiny.run(folder)
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
    }
  }
}
