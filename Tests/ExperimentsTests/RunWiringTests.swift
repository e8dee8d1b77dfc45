import Attacks
import Backdoor
import Defenses
import Evaluation
import Files
import Foundation
import SelfSupervision
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Experiments

/// What a run hands to its parts and what it records of them, beside the same steps taken one by one here. Every choice
/// is lopsided: shares that are not one half, scores that differ before and after, classes of unequal size.
@Suite struct RunWiringTests {
  private static let seed: Seed = 7
  private let target = 3

  /// 130 training and 47 test images of 12x12 pixels in five classes.
  private static func writeData(_ folder: String) throws -> (train: ImageDataset, test: ImageDataset) {
    let train = ImageDataset.tiny(count: 130, size: 12, classes: 5, seed: 1, name: "tensors")
    let test = ImageDataset.tiny(count: 47, size: 12, classes: 5, seed: 2, name: "tensors")
    try FileSystem.createFolder(folder)
    try TensorFiles.write(train, split: .train, folder: folder)
    try TensorFiles.write(test, split: .test, folder: folder)
    return (train, test)
  }
  private func configuration(_ data: String, _ changes: JSONValue) throws -> ExperimentConfiguration {
    let base: JSONValue = [
      "seed": .int(7), "precision": "float32", "threads": 1, "device": "cpu",
      "dataset": ["name": "tensors", "path": .string(data)], "model": ["name": "cnn", "width": 5],
      "recipe": ["epochs": 3, "batch": 16, "learningRate": 0.1, "crop": 1, "labelSmoothing": 0.1],
      "attack": ["rate": 0.3, "target": 3, "size": 4], "evaluation": ["riskSamples": 0, "samples": 3],
    ]
    return try ExperimentConfiguration(SettingsTree.merge(base, changes))
  }
  private func run(_ c: ExperimentConfiguration, _ folder: String) throws -> RunRecord {
    try ExperimentRunner(c, folder: folder, progress: SilentProgress()).run()
  }
  private var context: TrainingContext { TrainingContext(device: .cpu, precision: .float32, seed: Self.seed) }
  private func makeModel(_ seed: Seed) throws -> Classifier {
    try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 5, width: 5, channels: 3, imageSize: 12, normalization: .half)
    ).make(Generator(seed: seed("init")))
  }
  private func expectFile(_ folder: String, _ name: String, holds model: Classifier) throws {
    expectSame(
      try Safetensors.load("\(folder)/\(name)").tensors.map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 },
      model.snapshot().map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 }, name)
  }

  // MARK: By hand

  private struct Scores: Equatable {
    var accuracy = 0.0
    var attackSuccess = 0.0
    var robustAccuracy = 0.0
    var poisonAccuracy = 0.0

    init(_ m: RunRecord.Measurement) {
      (accuracy, attackSuccess) = (m.accuracy, m.attackSuccessRate ?? .nan)
      (robustAccuracy, poisonAccuracy) = (m.robustAccuracy ?? .nan, m.poisonAccuracy ?? .nan)
    }
    /// Of a model that turned test images of these labels into these classes.
    init(_ labels: [Int], clean: [Int], triggered: [Int], target: Int) {
      func share(_ part: Int, _ whole: Int) -> Double { Double(part) / Double(whole) }
      let others = labels.indices.filter { labels[$0] != target }
      accuracy = share(labels.indices.count { clean[$0] == labels[$0] }, labels.count)
      attackSuccess = share(others.count { triggered[$0] == target }, others.count)
      robustAccuracy = share(others.count { triggered[$0] == labels[$0] }, others.count)
      poisonAccuracy = share(labels.indices.count { triggered[$0] == labels[$0] }, labels.count)
    }
  }
  /// Classes and probabilities.
  private func answers(_ model: Classifier, _ images: Tensor) -> (classes: [Int], confidence: [Float]) {
    noGrad {
      model.withMode(training: false) {
        let (confidence, classes) = F.softmax(model(images.unitPixels().contiguous(.channelsLast)), 1).max(1)
        return (classes.array(Int64.self).map(Int.init), confidence.array(Float.self))
      }
    }
  }
  /// A white square of four pixels in the lower right corner.
  private func stamped(_ images: Tensor) -> Tensor {
    let copy = images.clone()
    copy.narrowed(2, 8..<12).narrowed(3, 8..<12).fill_(255)
    return copy
  }
  private func scores(_ model: Classifier, _ test: ImageDataset) -> Scores {
    Scores(
      test.labelArray(), clean: answers(model, test.images).classes,
      triggered: answers(model, stamped(test.images)).classes, target: target)
  }

  /// The data as attacker and defender have them, drawn by hand.
  private func parts(_ train: ImageDataset, _ clean: JSONValue) throws
    -> (clean: [Int], unlabeled: [Int], poisoned: PoisonedDataset)
  {
    let count = clean["count"]?.intValue ?? Int((0.05 * 130).rounded())
    var random = Self.seed.generator("clean")
    let positions = random.sample(count, of: 130, sorted: true)
    let rest = (0..<130).filter { !positions.contains($0) }
    var other = Self.seed.generator("unlabeled")
    let share = clean["unlabeled"]?.doubleValue ?? 0
    let unlabeled =
      share == 0 ? [] : other.sample(Int((share * 130).rounded()), of: rest.count, sorted: true).map { rest[$0] }
    var taken = Set(unlabeled)
    if clean["disjoint"]?.boolValue == true { taken.formUnion(positions) }
    let attackers = train.subset((0..<130).filter { !taken.contains($0) })

    // The attacker poisons 30% of what is left, of all classes, by the stream "attack" of the seed.
    var draw = Self.seed.stream("attack").generator("poison/select")
    let poison = draw.sample(Int((0.3 * Double(attackers.count)).rounded()), of: attackers.count, sorted: true)
    let (images, labels) = (attackers.images.clone(), attackers.labels.clone())
    for position in poison {
      images[position].copy_(stamped(images.narrowed(0, position..<(position + 1)))[0])
      labels[position].fill_(Double(target))
    }
    let data = ImageDataset(name: "tensors", images: images, labels: labels, classNames: train.classNames)
    return (
      positions, unlabeled,
      PoisonedDataset(
        data: data, indices: poison, tasks: poison.map { _ in 0 }, trueLabels: attackers.labels)
    )
  }

  /// A model by the recipe, with what each of its epochs brought.
  private func trained(_ c: ExperimentConfiguration, on data: ImageDataset, stage: String, test: ImageDataset? = nil)
    throws -> (model: Classifier, epochs: [(loss: Double, rate: Double, scores: Scores?)])
  {
    var epochs: [(loss: Double, rate: Double, scores: Scores?)] = []
    let (model, context) = (try makeModel(Self.seed), context)
    context.onEpoch = { report in
      let values = Dictionary(report.values.map { ($0.key, $0.value) }) { $1 }
      epochs.append((values["loss"] ?? .nan, values["learningRate"] ?? .nan, test.map { self.scores(model, $0) }))
    }
    try Trainer(c.recipe, stage: stage).train(model, on: data, context: context)
    return (model, epochs)
  }

  // MARK: Tests

  /// Poison, train, measure, fine-tune on the clean images, measure. Of 130 images 20 are the defender's, 10 of those
  /// in the set that is poisoned unless they are kept apart, and 39 have no labels.
  @Test(
    arguments: [
      ["count": 20], ["disjoint": true, "count": 20], ["unlabeled": 0.3, "count": 20],
      ["unlabeled": 0.3, "disjoint": true], [:],
    ] as [JSONValue])
  func aRunStepByStep(_ clean: JSONValue) throws {
    try withTemporaryFolder { parent in
      let (train, test) = try Self.writeData("\(parent)/data")
      let c = try configuration(
        "\(parent)/data",
        [
          "clean": clean,
          "defense": ["name": "ft", "epochs": 2, "batch": 8, "learningRate": 0.5, "weightDecay": 0.1, "crop": 1],
        ])
      let folder = "\(parent)/run"
      let record = try run(c, folder)

      let (positions, unlabeled, poisoned) = try parts(train, clean)
      #expect(Set(positions).isDisjoint(with: unlabeled))
      let manifest = try PoisonManifest(contentsOf: "\(folder)/poison.json")
      #expect(manifest.samples.map(\.index) == poisoned.indices && manifest.trainCount == poisoned.data.count)
      #expect(manifest.samples.allSatisfy { $0.label == target })
      let truth = poisoned.trueLabels.array(Int64.self).map(Int.init)
      #expect(manifest.samples.map(\.trueLabel) == poisoned.indices.map { truth[$0] })
      #expect(record.poison?.poisonedCount == poisoned.indices.count && record.poison?.targetLabel == target)
      #expect(record.dataset?.trainCount == 130 && record.dataset?.testCount == 47)

      let (backdoored, epochs) = try trained(c, on: poisoned.data, stage: "train", test: test)
      try expectFile(folder, "backdoored.safetensors", holds: backdoored)
      let before = scores(backdoored, test)
      let defense = try #require(try c.makeDefense())
      let context = context
      var (later, healed): ([Scores], Classifier?) = ([], nil)
      context.onEpoch = { report in
        later.append(self.scores(try #require(report.model as? Classifier), test))
      }
      healed = try defense.purify(backdoored, clean: train.subset(positions), context: context)
      let model = try #require(healed)
      try expectFile(folder, "model.safetensors", holds: model)
      let after = scores(model, test)

      // Neither way round, nor with one of the two in both places.
      try #require(before.accuracy != after.accuracy && before.attackSuccess != after.attackSuccess)
      #expect(record.measurements.map(\.label) == ["before", "after"])
      #expect(record.before.map(Scores.init) == before && record.after.map(Scores.init) == after)
      #expect(record.measurements.allSatisfy { $0.cleanCount == 47 && $0.triggeredCount == 38 })
      let rating =
        (max(0, before.attackSuccess - after.attackSuccess) - max(0, before.accuracy - after.accuracy) + 1) / 2
      let exchanged =
        (max(0, after.attackSuccess - before.attackSuccess) - max(0, after.accuracy - before.accuracy) + 1) / 2
      try #require(abs(rating - exchanged) > 0.01)
      #expect(abs(try #require(record.defenseEffectiveness) - rating) < 1e-12)

      let metrics = try RunDirectory.open(folder).metrics.read()
      #expect(metrics.map(\.stage) == ["train", "train", "train", "ft", "ft"])
      #expect(metrics.map(\.epoch) == [1, 2, 3, 1, 2])
      for (entry, epoch) in zip(metrics, epochs) {
        #expect(entry.values["trainLoss"] == epoch.loss && entry.values["learningRate"] == epoch.rate)
      }
      for (entry, scores) in zip(metrics, epochs.map(\.scores) + later) {
        #expect(entry.values["accuracy"] == scores?.accuracy)
        #expect(entry.values["attackSuccessRate"] == scores?.attackSuccess)
        #expect(entry.values["robustAccuracy"] == scores?.robustAccuracy)
      }
      #expect(record.stages.map(\.name) == ["train", "ft"] && record.stages.map(\.epochs) == [3, 2])

      // The pictures' captions.
      #expect(record.samples.count == 3 && Set(record.samples.map(\.label)).count == 3)
      let labels = test.labelArray()
      let answers = [backdoored, model].map { ($0, self.answers($0, test.images)) }
      let others = [backdoored, model].map { self.answers($0, stamped(test.images)) }
      for sample in record.samples {
        #expect(sample.label == labels[sample.index] && sample.label != target && sample.target == target)
        #expect(sample.predictions.map(\.model) == ["before", "after"])
        for (number, prediction) in sample.predictions.enumerated() {
          #expect(prediction.clean.label == answers[number].1.classes[sample.index])
          #expect(prediction.triggered.label == others[number].classes[sample.index])
          expectClose(prediction.clean.confidence, Double(answers[number].1.confidence[sample.index]))
          expectClose(prediction.triggered.confidence, Double(others[number].confidence[sample.index]))
        }
      }
    }
  }

  /// The model that belongs to a sample filter learns from what the filter kept, from the poisoned set as it was.
  @Test func afterASampleFilterTheKeptOnesAreLearned() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try Self.writeData("\(parent)/data")
      let stage: JSONValue = ["epochs": 1, "batch": 32]
      let c = try configuration(
        "\(parent)/data",
        [
          "defense": ["name": "dbd-filter", "pretrain": stage, "tune": stage, "credible": 0.3, "embeddings": 0]
        ])
      let folder = "\(parent)/run"
      let record = try run(c, folder)
      let (_, _, poisoned) = try parts(train, [:])
      let lines = try String(contentsOfFile: "\(folder)/samples.csv", encoding: .utf8).split(separator: "\n")
      let header = lines[0].split(separator: ",")
      let (kept, isPoisoned) = (
        try #require(header.firstIndex(of: "kept")), try #require(header.firstIndex(of: "poisoned"))
      )
      let rows = lines.dropFirst().map { $0.split(separator: ",") }
      let keptPositions = rows.indices.filter { rows[$0][kept] == "1" }
      #expect(keptPositions.count == 39 && rows.count == 130, "three tenths")
      #expect(rows.indices.filter { rows[$0][isPoisoned] == "1" } == poisoned.indices)
      let (backdoored, _) = try trained(c, on: poisoned.data, stage: "train")
      let (model, epochs) = try trained(c, on: poisoned.data.subset(keptPositions), stage: "retrain", test: test)
      try expectFile(folder, "backdoored.safetensors", holds: backdoored)
      try expectFile(folder, "model.safetensors", holds: model)
      #expect(record.after.map(Scores.init) == scores(model, test))
      let metrics = try RunDirectory.open(folder).metrics.read().filter { $0.stage == "retrain" }
      #expect(metrics.map { $0.values["accuracy"] } == epochs.map { $0.scores?.accuracy })

      let poison = Set(poisoned.indices)
      let detection = try #require(record.findings?.detection)
      #expect(detection.keptCount == 39 && detection.rejectedCount == 91 && detection.poisonedCount == 39)
      #expect(detection.poisonKept == keptPositions.count(where: poison.contains))
      #expect(detection.cleanRejected == 91 - (39 - detection.poisonKept))
    }
  }

  /// Features come from the poisoned images and those without labels together; the last layer does not change them.
  @Test func preTrainingSeesTheUnlabeledImages() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try Self.writeData("\(parent)/data")
      let c = try configuration(
        "\(parent)/data",
        [
          "clean": ["unlabeled": 0.2, "count": 9],
          "defense": [
            "name": "prl-simclr", "pretraining": ["epochs": 2, "batch": 16, "learningRate": 1.0],
            "labeled": 0.6, "rule": ["rate": 0.3], "recipe": ["epochs": 2, "batch": 16],
          ],
        ])
      let folder = "\(parent)/run"
      let record = try run(c, folder)
      let (_, unlabeled, poisoned) = try parts(train, ["unlabeled": 0.2, "count": 9])
      #expect(unlabeled.count == 26 && poisoned.data.count == 104 && record.poison?.poisonedCount == 31)

      // The whole defense, and its first stage alone.
      let defense = try #require(try c.makeDefense())
      let outcome = try defense.train(
        on: poisoned.data, architecture: { try self.makeModel($0) }, unlabeled: train.subset(unlabeled).withoutLabels(),
        context: context)
      try expectFile(folder, "model.safetensors", holds: try #require(outcome.model))
      #expect(record.after.map(Scores.init) == scores(try #require(outcome.model), test))
      var pretraining = SelfSupervisedTraining()
      (pretraining.epochs, pretraining.period, pretraining.batch, pretraining.learningRate) = (2, nil, 16, 1)
      let model = try makeModel(Self.seed.stream("defense"))
      model.to(.channelsLast)
      let images = Tensor.concatenated([poisoned.data.images, train.images[Tensor(unlabeled.map(Int64.init))]])
      let all = ImageDataset(
        name: "tensors", images: images, labels: Tensor.full([130], -1, dtype: .int64), classNames: train.classNames)
      try pretraining.pretrain(model, on: all, context: context, stage: "prl-simclr-pretrain")
      let final = try Safetensors.load("\(folder)/model.safetensors")
      for (key, tensor) in model.snapshot() where !key.hasPrefix("linear") && !key.hasPrefix("fc") {
        expectSame(try #require(final[key]), tensor, key)
      }
    }
  }

  private func makeModel(_ generator: Generator) throws -> Classifier {
    try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 5, width: 5, channels: 3, imageSize: 12, normalization: .half)
    ).make(generator)
  }
}
