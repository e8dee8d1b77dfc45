import Evaluation
import Files
import Foundation
import Support
import Synchronization
import TestFiles
import TestSupport
import Testing

@testable import Experiments

/// Runs of defenses that train by themselves: findings, maps, stages.
@Suite struct TrainingTimeRunTests {
  private let tiny = TinyRun()

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
      var settings = TinyRun.decoupled
      settings["name"] = "dbd"
      let watch = MapWatch(folder)
      let record = try tiny.run(
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
      let record = try tiny.run(
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
      #expect(
        lines.count == 97 && lines[0].hasPrefix("index,label,class,decision,kept,suspicion,rank,")
          && lines[0].hasSuffix(",poisoned"))
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
      var settings = TinyRun.decoupled
      settings["finetune"] = nil
      settings["name"] = "dbd-filter"
      let record = try tiny.run(folder, ["defense": settings])
      #expect(record.stages.map(\.name) == ["train", "pretrain", "dbd-filter-tune", "retrain"])
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
      var settings = TinyRun.decoupled
      settings["name"] = "dbd"
      let changes: JSONValue = ["defense": settings]
      let whole = try tiny.run("\(parent)/whole/run", changes)
      let purified = try tiny.model("\(parent)/whole/run")
      for (checks, stage) in [(14, "pretrain"), (17, "dbd-tune"), (22, "dbd-tune"), (29, "dbd-mixmatch")] {
        let folder = "\(parent)/after-\(checks)/run"
        #expect(throws: Interrupted.self) {
          try Interruption.simulated(afterChecks: checks) { _ = try tiny.run(folder, changes) }
        }
        let progress = RecordingProgress()
        let resumed = try tiny.run(folder, changes, progress: progress)
        if checks != 17 {
          #expect(
            progress.messages.contains { $0.hasPrefix("\(StageTitle.title(of: stage)): going on after epoch 1") },
            "\(checks)")
        }
        #expect(resumed.measurements == whole.measurements && resumed.findings == whole.findings, "after \(checks)")
        expectSame(try tiny.model(folder), purified, "after \(checks)")
      }
    }
  }
}
