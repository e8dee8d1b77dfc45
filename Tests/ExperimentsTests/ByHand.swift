import Attacks
import Backdoor
import Defenses
import Evaluation
import Files
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Experiments

/// A small experiment whose steps are written out: what runs and jobs have to agree with. BadNets with a white square
/// of four pixels on 30% of the images, target class 3 of five.
struct ByHand {
  static let seed: Seed = 7
  let target = 3

  /// 130 training and 47 test images of 12x12 pixels in five classes.
  func writeData(_ folder: String) throws -> (train: ImageDataset, test: ImageDataset) {
    let train = ImageDataset.tiny(count: 130, size: 12, classes: 5, seed: 1, name: "tensors")
    let test = ImageDataset.tiny(count: 47, size: 12, classes: 5, seed: 2, name: "tensors")
    try FileSystem.createFolder(folder)
    try TensorFiles.write(train, split: .train, folder: folder)
    try TensorFiles.write(test, split: .test, folder: folder)
    return (train, test)
  }
  func configuration(_ data: String, _ changes: JSONValue) throws -> ExperimentConfiguration {
    let base: JSONValue = [
      "seed": .int(7), "precision": "float32", "threads": 1, "device": "cpu",
      "dataset": ["name": "tensors", "path": .string(data)], "model": ["name": "cnn", "width": 5],
      "recipe": ["epochs": 3, "batch": 16, "learningRate": 0.1, "crop": 1, "labelSmoothing": 0.1],
      "attack": ["rate": 0.3, "target": 3, "size": 4], "evaluation": ["riskSamples": 0, "samples": 3],
    ]
    return try ExperimentConfiguration(SettingsTree.merge(base, changes))
  }
  func run(_ c: ExperimentConfiguration, _ folder: String) throws -> RunRecord {
    try ExperimentRunner(c, folder: folder, progress: SilentProgress()).run()
  }
  var context: TrainingContext { TrainingContext(device: .cpu, precision: .float32, seed: Self.seed) }
  func makeModel(_ seed: Seed) throws -> Classifier {
    try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 5, width: 5, channels: 3, imageSize: 12, normalization: .half)
    ).make(Generator(seed: seed("init")))
  }
  func expectFile(_ folder: String, _ name: String, holds model: Classifier) throws {
    expectSame(
      try Safetensors.load("\(folder)/\(name)").tensors.map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 },
      model.snapshot().map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 }, name)
  }

  struct Scores: Equatable {
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
  func answers(_ model: Classifier, _ images: Tensor) -> (classes: [Int], confidence: [Float]) {
    noGrad {
      model.withMode(training: false) {
        let (confidence, classes) = F.softmax(model(images.unitPixels().contiguous(.channelsLast)), 1).max(1)
        return (classes.array(Int64.self).map(Int.init), confidence.array(Float.self))
      }
    }
  }
  /// A white square of four pixels in the lower right corner.
  func stamped(_ images: Tensor) -> Tensor {
    let copy = images.clone()
    copy.narrowed(2, 8..<12).narrowed(3, 8..<12).fill_(255)
    return copy
  }
  func scores(_ model: Classifier, _ test: ImageDataset) -> Scores {
    Scores(
      test.labelArray(), clean: answers(model, test.images).classes,
      triggered: answers(model, stamped(test.images)).classes, target: target)
  }

  /// The data as attacker and defender have them, drawn by hand.
  func parts(_ train: ImageDataset, _ clean: JSONValue) throws
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
  func trained(_ c: ExperimentConfiguration, on data: ImageDataset, stage: String, test: ImageDataset? = nil)
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

  func makeModel(_ generator: Generator) throws -> Classifier {
    try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 5, width: 5, channels: 3, imageSize: 12, normalization: .half)
    ).make(generator)
  }
}
