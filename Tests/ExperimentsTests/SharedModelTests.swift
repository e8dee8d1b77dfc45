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
