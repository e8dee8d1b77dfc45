import Backdoor
import Defenses
import Files
import SelfSupervision
import Support
import Torch
import TorchNN
import Training
import Vision

/// What one epoch of a system costs beside one epoch of standard training, on the same images with the published
/// settings.
public struct EpochCost: Sendable {
  static let group = "epoch"
  static let standard = "epoch/standard"

  public let row: Benchmark.Row
  /// The cost that the system's paper states, in epochs of standard training; nil where it states none.
  public let published: Double?

  public static let all: [EpochCost] = [
    EpochCost(row: Benchmark.Row(id: standard, summary: "standard training") { try $0.standardEpoch($1) }),
    defense("noisy-at", "noisy-label: adversarial training alone, one step", ["recipe": ["epochs": 1]]),
    defense("prl-at", "noisy-label: both filters and the adversarial step", ["recipe": ["epochs": 1]]),
    defense("at", "adversarial training, L_inf, 10 steps", ["recipe": ["epochs": 1], "threat": "linf"], id: "at-linf"),
    defense("at", "spatial, 20 steps", ["recipe": ["epochs": 1], "threat": "spatial"], id: "at-spatial"),
    defense("at", "perceptual, 10 steps", ["recipe": ["epochs": 1], "threat": "perceptual"], id: "at-perceptual"),
    defense("cat", "spatial, then L_inf", ["recipe": ["epochs": 1]]),
    defense(
      "cat", "the same with 2 spatial steps and 1 of L_inf",
      ["recipe": ["epochs": 1], "spatial": ["steps": 2, "learningRate": 0.0125], "linf": ["steps": 1, "step": 1]],
      id: "cat-fast"),
    defense(
      "ispl", "self-expansion: a round's search, one epoch of its learner, its votes",
      ["rounds": 1, "bags": 1, "stopAt": 0, "selfTraining": 0, "learner": ["epochs": 1]], id: "ispl-round"),
    EpochCost(
      row: Benchmark.Row(id: "epoch/dbd-pretrain", summary: "decoupled training: SimCLR, both views") {
        try $0.pretrainingEpoch($1)
      },
      published: 4),
    EpochCost(
      row: Benchmark.Row(id: "epoch/dbd-tune", summary: "the last layer on frozen features") { try $0.tuningEpoch($1) },
      published: 0.6),
    EpochCost(
      row: Benchmark.Row(id: "epoch/dbd-mixmatch", summary: "MixMatch, as many labeled images as an epoch has") {
        try $0.mixMatchEpoch($1)
      },
      published: 2),
  ]

  init(row: Benchmark.Row, published: Double? = nil) {
    self.row = row
    self.published = published
  }

  private static func defense(_ name: String, _ summary: String, _ settings: JSONValue, id: String? = nil) -> EpochCost
  {
    EpochCost(
      row: Benchmark.Row(id: "\(group)/\(id ?? name)", summary: summary) { try $0.epoch(of: name, settings, $1) })
  }
}

extension Benchmark {
  private func epochData(_ warmUp: Bool) -> ImageDataset {
    data.prefix(warmUp ? min(settings.batch, settings.epochImages) : settings.epochImages)
  }

  private var context: TrainingContext { TrainingContext(device: device, precision: settings.precision) }

  fileprivate func standardEpoch(_ warmUp: Bool) throws -> Double {
    var recipe = Recipe()
    recipe.epochs = 1
    recipe.batch = settings.batch
    let (model, images) = (model(), epochData(warmUp))
    return try rate(images.count) { try Trainer(recipe).train(model, on: images, context: context) }
  }

  fileprivate func epoch(of name: String, _ configuration: JSONValue, _ warmUp: Bool) throws -> Double {
    let defense = try DefenseKind.named(name).make(configuration).defense
    let images = epochData(warmUp)
    return try rate(images.count) {
      _ = try defense.train(on: images, architecture: { _ in self.model() }, context: context)
    }
  }

  fileprivate func pretrainingEpoch(_ warmUp: Bool) throws -> Double {
    var stage = SelfSupervisedTraining()
    stage.epochs = 1
    stage.batch = min(stage.batch, settings.epochImages)
    let (model, images) = (model(), data.prefix(warmUp ? stage.batch : settings.epochImages))
    return try rate(images.count) { try stage.pretrain(model, on: images, context: context) }
  }

  fileprivate func tuningEpoch(_ warmUp: Bool) throws -> Double {
    var stage = HeadTuning()
    stage.epochs = 1
    let (model, images) = (model(), epochData(warmUp))
    model.to(.channelsLast)
    return try rate(images.count) { try stage.tune(model, on: images, flip: true, context: context, stage: "tune") }
  }

  fileprivate func mixMatchEpoch(_ warmUp: Bool) throws -> Double {
    var stage = MixMatch()
    stage.epochs = 1
    let (model, images) = (model(), epochData(warmUp))
    stage.batch = min(stage.batch, images.count)
    stage.iterations = images.count / stage.batch
    let split = CredibleSplit(losses: Generator(seed: 0).uniform([images.count], 0, 1), share: 0.5)
    return try rate(images.count) { try stage.train(model, on: images, context: context) { _ in split } }
  }
}
