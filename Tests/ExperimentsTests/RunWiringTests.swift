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
  private let hand = ByHand()

  /// Poison, train, measure, fine-tune on the clean images, measure. Of 130 images 20 are the defender's, in the set
  /// that is poisoned too unless they are kept apart, or 39 have no labels.
  @Test(
    arguments: [
      ["count": 20], ["disjoint": true, "count": 20], ["unlabeled": 0.3, "count": 20],
      ["unlabeled": 0.3, "disjoint": true], [:],
    ] as [JSONValue])
  func aRunStepByStep(_ clean: JSONValue) throws {
    try withTemporaryFolder { parent in
      let (train, test) = try hand.writeData("\(parent)/data")
      let c = try hand.configuration(
        "\(parent)/data",
        [
          "clean": clean,
          "defense": ["name": "ft", "epochs": 2, "batch": 8, "learningRate": 0.5, "weightDecay": 0.1, "crop": 1],
        ])
      let folder = "\(parent)/run"
      let record = try hand.run(c, folder)

      let (positions, unlabeled, poisoned) = try hand.parts(train, clean)
      #expect(Set(positions).isDisjoint(with: unlabeled))
      let manifest = try PoisonManifest(contentsOf: "\(folder)/poison.json")
      #expect(manifest.samples.map(\.index) == poisoned.indices && manifest.trainCount == poisoned.data.count)
      #expect(manifest.samples.allSatisfy { $0.label == hand.target })
      let truth = poisoned.trueLabels.array(Int64.self).map(Int.init)
      #expect(manifest.samples.map(\.trueLabel) == poisoned.indices.map { truth[$0] })
      #expect(record.poison?.poisonedCount == poisoned.indices.count && record.poison?.targetLabel == hand.target)
      #expect(record.dataset?.trainCount == 130 && record.dataset?.testCount == 47)

      let (backdoored, epochs) = try hand.trained(c, on: poisoned.data, stage: "train", test: test)
      try hand.expectFile(folder, "backdoored.safetensors", holds: backdoored)
      let before = hand.scores(backdoored, test)
      let defense = try #require(try c.makeDefense())
      let context = hand.context
      var (later, healed): ([ByHand.Scores], Classifier?) = ([], nil)
      context.onEpoch = { report in
        later.append(hand.scores(try #require(report.model as? Classifier), test))
      }
      healed = try defense.purify(backdoored, clean: train.subset(positions), context: context)
      let model = try #require(healed)
      try hand.expectFile(folder, "model.safetensors", holds: model)
      let after = hand.scores(model, test)

      // Neither way round, nor with one of the two in both places.
      try #require(before.accuracy != after.accuracy && before.attackSuccess != after.attackSuccess)
      #expect(record.measurements.map(\.label) == ["before", "after"])
      #expect(record.before.map(ByHand.Scores.init) == before && record.after.map(ByHand.Scores.init) == after)
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
      #expect(record.stages.allSatisfy { $0.peakMemoryBytes ?? 0 > 0 })

      // Before and after of one image: positions are those of the attacker's set.
      #expect(record.poisonedImages.count == 3)
      for shown in record.poisonedImages {
        let (before, after) = try (
          DecodedImage.decode(contentsOf: "\(folder)/\(shown.clean)"),
          DecodedImage.decode(contentsOf: "\(folder)/\(shown.poisoned)")
        )
        expectSame(after.tensor, poisoned.data.images[shown.index..<(shown.index + 1)])
        expectSame(after.tensor, hand.stamped(before.tensor))
      }

      // The pictures' captions.
      #expect(record.samples.count == 3 && Set(record.samples.map(\.label)).count == 3)
      let labels = test.labelArray()
      let answers = [backdoored, model].map { ($0, hand.answers($0, test.images)) }
      let others = [backdoored, model].map { hand.answers($0, hand.stamped(test.images)) }
      for sample in record.samples {
        #expect(sample.label == labels[sample.index] && sample.label != hand.target && sample.target == hand.target)
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
      let (train, test) = try hand.writeData("\(parent)/data")
      let stage: JSONValue = ["epochs": 1, "batch": 32]
      let c = try hand.configuration(
        "\(parent)/data",
        [
          "defense": ["name": "dbd-filter", "pretrain": stage, "tune": stage, "credible": 0.4, "embeddings": 0]
        ])
      let folder = "\(parent)/run"
      let record = try hand.run(c, folder)
      let (_, _, poisoned) = try hand.parts(train, [:])
      let lines = try String(contentsOfFile: "\(folder)/samples.csv", encoding: .utf8).split(separator: "\n")
      let header = lines[0].split(separator: ",")
      let (kept, isPoisoned) = (
        try #require(header.firstIndex(of: "kept")), try #require(header.firstIndex(of: "poisoned"))
      )
      let rows = lines.dropFirst().map { $0.split(separator: ",") }
      let keptPositions = rows.indices.filter { rows[$0][kept] == "1" }
      #expect(keptPositions.count == 52 && rows.count == 130, "four tenths")
      #expect(rows.indices.filter { rows[$0][isPoisoned] == "1" } == poisoned.indices)
      let (backdoored, _) = try hand.trained(c, on: poisoned.data, stage: "train")
      let (model, epochs) = try hand.trained(c, on: poisoned.data.subset(keptPositions), stage: "retrain", test: test)
      try hand.expectFile(folder, "backdoored.safetensors", holds: backdoored)
      try hand.expectFile(folder, "model.safetensors", holds: model)
      #expect(record.after.map(ByHand.Scores.init) == hand.scores(model, test))
      let metrics = try RunDirectory.open(folder).metrics.read().filter { $0.stage == "retrain" }
      #expect(metrics.map { $0.values["accuracy"] } == epochs.map { $0.scores?.accuracy })

      let poison = Set(poisoned.indices)
      let detection = try #require(record.findings?.detection)
      #expect(detection.keptCount == 52 && detection.rejectedCount == 78 && detection.poisonedCount == 39)
      #expect(detection.poisonKept == keptPositions.count(where: poison.contains))
      #expect(detection.cleanRejected == 78 - (39 - detection.poisonKept))
    }
  }

  /// Features come from the poisoned images and those without labels together; the last layer does not change them.
  @Test func preTrainingSeesTheUnlabeledImages() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try hand.writeData("\(parent)/data")
      let c = try hand.configuration(
        "\(parent)/data",
        [
          "clean": ["unlabeled": 0.2, "count": 9],
          "defense": [
            "name": "prl-simclr", "pretraining": ["epochs": 2, "batch": 16, "learningRate": 1.0],
            "labeled": 0.6, "rule": ["rate": 0.3], "recipe": ["epochs": 2, "batch": 16],
          ],
        ])
      let folder = "\(parent)/run"
      let record = try hand.run(c, folder)
      let (_, unlabeled, poisoned) = try hand.parts(train, ["unlabeled": 0.2, "count": 9])
      #expect(unlabeled.count == 26 && poisoned.data.count == 104 && record.poison?.poisonedCount == 31)

      // The whole defense, and its first stage alone.
      let defense = try #require(try c.makeDefense())
      let outcome = try defense.train(
        on: poisoned.data, architecture: { try hand.makeModel($0) }, unlabeled: train.subset(unlabeled).withoutLabels(),
        context: hand.context)
      try hand.expectFile(folder, "model.safetensors", holds: try #require(outcome.model))
      #expect(record.after.map(ByHand.Scores.init) == hand.scores(try #require(outcome.model), test))
      var pretraining = SelfSupervisedTraining()
      (pretraining.epochs, pretraining.period, pretraining.batch, pretraining.learningRate) = (2, nil, 16, 1)
      let model = try hand.makeModel(ByHand.seed.stream("defense"))
      model.to(.channelsLast)
      let images = Tensor.concatenated([poisoned.data.images, train.images[Tensor(unlabeled.map(Int64.init))]])
      let all = ImageDataset(
        name: "tensors", images: images, labels: Tensor.full([130], -1, dtype: .int64), classNames: train.classNames)
      try pretraining.pretrain(model, on: all, context: hand.context)
      let final = try Safetensors.load("\(folder)/model.safetensors")
      for (key, tensor) in model.snapshot() where !key.hasPrefix("linear") && !key.hasPrefix("fc") {
        expectSame(try #require(final[key]), tensor, key)
      }
    }
  }

  /// A defense that trains by itself: its model, what its epochs learned from, the means over its last epochs.
  @Test func aDefenseThatTrains() throws {
    try withTemporaryFolder { parent in
      let (train, test) = try hand.writeData("\(parent)/data")
      let recipe: JSONValue = ["epochs": 12, "batch": 32, "learningRate": 0.01, "crop": 1]
      let c = try hand.configuration(
        "\(parent)/data",
        ["recipe": ["epochs": 1], "defense": ["name": "prl", "rule": ["rate": 0.4], "recipe": recipe]])
      let folder = "\(parent)/run"
      let record = try hand.run(c, folder)

      let (_, _, poisoned) = try hand.parts(train, [:])
      let (poison, context) = (Set(poisoned.indices), hand.context)
      var (shares, scores): ([Double], [ByHand.Scores]) = ([], [])
      context.onEpoch = { report in
        let learned = try #require(report.selected)
        shares.append(Double(learned.count(where: poison.contains)) / Double(learned.count))
        scores.append(hand.scores(try #require(report.model as? Classifier), test))
      }
      let outcome = try #require(try c.makeDefense()).train(
        on: poisoned.data, architecture: { try hand.makeModel($0) }, context: context)
      try hand.expectFile(folder, "model.safetensors", holds: try #require(outcome.model))
      let metrics = try RunDirectory.open(folder).metrics.read().filter { $0.stage == "prl" }
      try #require(Set(shares).count > 1 && Set(scores.map(\.accuracy)).count > 1)
      #expect(metrics.map { $0.values["poisonShareLearned"] } == shares)
      #expect(metrics.map { $0.values["accuracy"] } == scores.map(\.accuracy))
      let (means, last) = (try #require(record.lastEpochs), scores.suffix(10))
      #expect(means.epochs == 10 && means.stage == "prl")
      expectClose(means.accuracy, last.map(\.accuracy).reduce(0, +) / 10)
      expectClose(try #require(means.attackSuccessRate), last.map(\.attackSuccess).reduce(0, +) / 10)
      expectClose(try #require(means.robustAccuracy), last.map(\.robustAccuracy).reduce(0, +) / 10)
      let kept = try #require(outcome.filtered).kept
      #expect(record.findings?.detection?.keptCount == kept.count)
      #expect(record.findings?.detection?.poisonKept == kept.count(where: poison.contains))
    }
  }
}
