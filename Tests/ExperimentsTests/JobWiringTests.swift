import Backdoor
import Evaluation
import Files
import Foundation
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import Training
import Vision

@testable import Experiments

/// The commands' jobs beside the same steps taken one by one: which images each reads, what it measures on, which
/// seeds it hands over.
@Suite struct JobWiringTests {
  private let hand = ByHand()

  /// Poison, train, measure and fine-tune in four jobs; the clean images are those of another folder, or a draw.
  @Test func fourJobs() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try hand.writeData("\(parent)/data")
      let (positions, _, poisoned) = try hand.parts(train, ["count": 20])
      let c = try hand.configuration("\(parent)/data", ["clean": ["count": 20]])
      let folder = "\(parent)/poisoned"
      let manifest = try PoisoningJob(c, output: folder).run(progress: SilentProgress())
      #expect(manifest.samples.map(\.index) == poisoned.indices)
      func expectImages(_ name: String, _ data: ImageDataset, _ extra: [String: [Int]] = [:]) throws {
        let file = try Safetensors.load("\(folder)/\(name).safetensors")
        expectSame(try #require(file["images"]), data.images, name)
        expectSame(try #require(file["labels"]), data.labels, name)
        for (key, values) in extra { #expect(try #require(file[key]).array(Int64.self).map(Int.init) == values) }
      }
      try expectImages("train", poisoned.data)
      try expectImages("test", test)
      let labels = test.labelArray()
      let aimed = labels.indices.filter { labels[$0] != hand.target }
      let triggered = ImageDataset(
        name: "tensors", images: hand.stamped(test.images), labels: test.labels, classNames: test.classNames)
      try expectImages(
        "test-triggered", triggered.subset(aimed), ["targets": aimed.map { _ in hand.target }, "positions": aimed])

      let onPoison = try hand.configuration(folder, ["clean": ["count": 20]])
      let trained = try TrainingJob(onPoison, output: "\(parent)/m.safetensors").run(progress: SilentProgress())
      let (model, _) = try hand.trained(c, on: poisoned.data, stage: "train")
      try hand.expectFile(parent, "m.safetensors", holds: model)
      let before = hand.scores(model, test)
      #expect(trained.trainCount == 130 && trained.metrics?.accuracy == before.accuracy)

      let file = ModelFile("\(parent)/m.safetensors")
      let manifestFile = TriggerSource.manifest(path: "\(folder)/poison.json")
      let found = try EvaluationJob(c, model: file, triggers: manifestFile).run(progress: SilentProgress()).metrics
      #expect(found.accuracy == before.accuracy && found.attackSuccessRate == before.attackSuccess)
      #expect(found.robustAccuracy == before.robustAccuracy && found.poisonAccuracy == before.poisonAccuracy)
      #expect(found.testCount == 47 && found.triggeredCount == 38)

      // A filter is judged by the poison.json beside the images, and by none of other images; it has no clean ones.
      for (name, isKnown) in [(folder, true), ("\(parent)/data", false)] {
        let filter = try hand.configuration(name, ["defense": ["name": "spectral"]])
        let result = try DefenseJob(
          filter, model: file, triggers: manifestFile, output: "\(parent)/spectral-\(isKnown).csv"
        ).run(progress: SilentProgress())
        #expect(result.detection?.poisonedCount == (isKnown ? poisoned.indices.count : nil) && result.cleanCount == 0)
      }

      // Clean images from the data set itself, then all of another folder's training images.
      let others = ImageDataset.tiny(count: 23, size: 12, classes: 5, seed: 9, name: "tensors")
      try TensorFiles.write(others, split: .train, folder: "\(parent)/clean")
      try TensorFiles.write(others.subset([0, 1, 2, 3, 4]), split: .test, folder: "\(parent)/clean")
      var elsewhere = DatasetSettings()
      (elsewhere.name, elsewhere.path) = ("tensors", "\(parent)/clean")
      for (name, source, clean) in [("own", nil, train.subset(positions)), ("other", elsewhere, others)] {
        let defense: JSONValue = ["name": "ft", "epochs": 2, "batch": 8, "learningRate": 0.5, "crop": 1]
        let settings = try hand.configuration("\(parent)/data", ["clean": ["count": 20], "defense": defense])
        let result = try DefenseJob(
          settings, model: file, cleanData: source, triggers: manifestFile, output: "\(parent)/\(name).safetensors"
        ).run(progress: SilentProgress())
        let healed = try #require(try settings.makeDefense()).purify(model, clean: clean, context: hand.context)
        try hand.expectFile(parent, "\(name).safetensors", holds: healed)
        let after = hand.scores(healed, test)
        try #require(after != before)
        #expect(result.cleanCount == clean.count && result.filtered == nil)
        #expect(result.before?.accuracy == before.accuracy && result.after?.accuracy == after.accuracy)
        #expect(result.before?.attackSuccessRate == before.attackSuccess)
        #expect(result.after?.attackSuccessRate == after.attackSuccess)
      }
    }
  }

  /// A defense that trains on what it is given, without the images that it is given without labels.
  @Test func withoutLabels() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try hand.writeData("\(parent)/data")
      let c = try hand.configuration(
        "\(parent)/data",
        [
          "clean": ["unlabeled": 0.2, "count": 9],
          "defense": [
            "name": "prl-simclr", "pretraining": ["epochs": 1, "batch": 16], "labeled": 0.6, "rule": ["rate": 0.3],
            "recipe": ["epochs": 2, "batch": 16],
          ],
        ])
      let result = try DefenseJob(c, model: nil, output: "\(parent)/m.safetensors", samples: "\(parent)/s.csv")
        .run(progress: SilentProgress())
      let (_, unlabeled, _) = try hand.parts(train, ["unlabeled": 0.2, "count": 9])
      let rest = train.subset((0..<130).filter { !unlabeled.contains($0) })
      let outcome = try #require(try c.makeDefense()).train(
        on: rest, architecture: { try hand.makeModel($0) }, unlabeled: train.subset(unlabeled).withoutLabels(),
        context: hand.context)
      let model = try #require(outcome.model)
      try hand.expectFile(parent, "m.safetensors", holds: model)
      #expect(result.before == nil && result.after?.accuracy == hand.scores(model, test).accuracy)
      let lines = try String(contentsOfFile: "\(parent)/s.csv", encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 105, "a line for each of 104 images")
    }
  }

  /// The table of samples is another result, which nothing overwrites; a filter has one table, and not every defense judges.
  @Test func tablesOfSamples() throws {
    try withTemporaryFolder { parent in
      _ = try hand.writeData("\(parent)/data")
      func run(_ defense: JSONValue, model: ModelFile? = nil, _ name: String, _ samples: String) throws {
        let c = try hand.configuration("\(parent)/data", ["clean": ["count": 20], "defense": defense])
        let output = "\(parent)/\(name)"
        _ = try DefenseJob(c, model: model, output: output, samples: "\(parent)/\(samples)")
          .run(progress: SilentProgress())
      }
      func problem(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
      }
      let noisy: JSONValue = ["name": "prl", "recipe": ["epochs": 1, "batch": 16], "rule": ["rate": 0.3]]
      try run(noisy, "new/m.safetensors", "new/tables/s.csv")
      let lines = try String(contentsOfFile: "\(parent)/new/tables/s.csv", encoding: .utf8)
      #expect(problem { try run(noisy, "again.safetensors", "new/tables/s.csv") }.contains("s.csv"))
      #expect(try String(contentsOfFile: "\(parent)/new/tables/s.csv", encoding: .utf8) == lines)
      #expect(!FileSystem.exists("\(parent)/again.safetensors"))
      let model = ModelFile("\(parent)/new/m.safetensors")
      let filter: JSONValue = ["name": "spectral"]
      #expect(problem { try run(filter, model: model, "a.csv", "b.csv") }.contains("Leave out --samples"))
      let tuned: JSONValue = ["name": "ft", "epochs": 1, "batch": 8]
      #expect(problem { try run(tuned, model: model, "ft.safetensors", "none.csv") }.contains("judges no samples"))
      #expect(!FileSystem.exists("\(parent)/ft.safetensors") && !FileSystem.exists("\(parent)/none.csv"))
    }
  }

  /// Two triggers with two targets: a file of triggered test images for each.
  @Test func severalTriggers() throws {
    try withTemporaryFolder { parent in
      let (_, test) = try hand.writeData("\(parent)/data")
      let c = try hand.configuration("\(parent)/data", ["attack": ["triggers": 2]])
      let manifest = try PoisoningJob(c, output: "\(parent)/poisoned").run(progress: SilentProgress())
      #expect(manifest.tasks.map(\.triggeredTest) == ["test-triggered-1.safetensors", "test-triggered-2.safetensors"])
      let labels = test.labelArray()
      for (number, target) in [3, 4].enumerated() {
        let file = try Safetensors.load("\(parent)/poisoned/test-triggered-\(number + 1).safetensors")
        let aimed = labels.indices.filter { labels[$0] != target }
        #expect(try #require(file["positions"]).array(Int64.self).map(Int.init) == aimed)
        #expect(try #require(file["targets"]).array(Int64.self).map(Int.init) == aimed.map { _ in target })
      }
    }
  }
}
