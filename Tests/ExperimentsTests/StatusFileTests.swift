import Files
import Foundation
import Support
import Synchronization
import TestFiles
import Testing
import Torch
import Training
import Vision

@testable import Experiments

/// `status.json`, by a clock that the test turns.
@Suite struct StatusFileTests {
  final class Clock: Sendable {
    private let time = Mutex(0.0)
    var now: Double { time.withLock { $0 } }
    func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
  }

  @Test func saysHowLongTheRestTakes() throws {
    try withTemporaryFolder { folder in
      let (clock, path) = (Clock(), "\(folder)/status.json")
      let status = StatusFile(in: folder, now: { clock.now })
      func read() throws -> JSONValue { try JSONValue(json: FileSystem.read(path)) }
      status.plan([PlannedWork("train", images: 200), PlannedWork("ft", images: 100)])
      status.beginStage("train", images: 200, done: 0)
      status.begin("Training 1/2", total: 100, unit: "images")
      #expect(!FileSystem.exists(path))
      clock.advance(1)
      status.advanceStage(images: 10)
      status.update(done: 10)
      let first = try read()
      #expect(first["stage"] == "Training" && first["stageNumber"] == 1 && first["stages"] == 2)
      #expect(first["work"] == "Training 1/2" && first["done"] == 10 && first["total"] == 100)
      #expect(first["unit"] == "images" && first["secondsLeftOfWork"]?.doubleValue == 9)
      #expect(first["secondsLeft"]?.doubleValue == 29)
      #expect(first["updated"]?.stringValue?.hasSuffix("Z") == true)
      // Not more often than every five seconds.
      clock.advance(4)
      status.advanceStage(images: 40)
      status.update(done: 50)
      #expect(try read() == first)
      clock.advance(5)
      status.advanceStage(images: 50)
      status.update(done: 100)
      #expect(try read()["secondsLeft"]?.doubleValue == 20)
      status.remove()
      clock.advance(50)
      status.update(done: 100)
      #expect(try FileSystem.list(folder, hidden: true).isEmpty)
    }
  }

  /// A run and a job plan their stages, and leave no status behind.
  @Test func stagesOfARun() throws {
    try withTemporaryFolder { folder in
      let settings: JSONValue = [
        "precision": "float32", "threads": 1,
        "dataset": ["name": "generated", "size": 28, "train": 60, "test": 20], "model": ["name": "cnn", "width": 2],
        "recipe": ["epochs": 2, "batch": 20, "crop": 0], "attack": ["name": "badnets", "rate": 0.1],
        "defense": ["name": "ft", "epochs": 3, "batch": 10, "crop": 0], "clean": ["count": 20],
      ]
      let progress = RecordingProgress()
      let runner = try ExperimentRunner(
        ExperimentConfiguration(settings), folder: "\(folder)/run", progress: progress)
      _ = try runner.run()
      #expect(progress.planned == [PlannedWork("train", images: 120), PlannedWork("ft", images: 60)])
      #expect(progress.stages.map(\.stage) == ["train", "ft"] && progress.stages.map(\.images) == [120, 60])
      #expect(!FileSystem.exists("\(folder)/run/status.json"))

      var learned = settings
      learned["attack"] = ["name": "sleeper-agent", "retrain": 2, "surrogate": ["epochs": 5]]
      learned["defense"] = "spectral"
      let configuration = try ExperimentConfiguration(learned)
      #expect(try configuration.attackWork(on: 60) == [PlannedWork("attack", images: 5 * 3 * 60)])
      learned["attack"] = ["name": "input-aware"]
      #expect(try ExperimentConfiguration(learned).attackWork(on: 60) == [PlannedWork("attack", images: 120)])
    }
  }
}
