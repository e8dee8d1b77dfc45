import Attacks
import Backdoor
import SelfSupervision
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Attacks

/// Both adaptive attacks against values from Python torch (`make_adaptive_attacks.py`).
@Suite struct AdaptiveAttackGoldenTests {
  private let golden: Golden
  private let model: Classifier
  private let poisons = imagePattern([4, 3, 16, 16], 0.5)
  private let sources = imagePattern([6, 3, 16, 16], 0.2)

  init() throws {
    golden = try Golden("adaptive_attacks")
    model = goldenNetwork().eval()
  }

  private func labels(_ count: Int) -> Tensor { Tensor([Int64](repeating: 3, count: count)) }

  /// In either memory layout, channels_last goes through the fused layers; and whole or in parts: 4 poisons in one graph,
  /// or in graphs of 3 and 1, which are not equal shares.
  @Test(arguments: [MemoryFormat.contiguous, .channelsLast], [4, 3]) func matchingAndItsGradient(
    _ format: MemoryFormat, _ chunk: Int
  ) throws {
    let matching = GradientMatching(model, images: sources, labels: labels(6), chunk: chunk)
    let change = pattern(poisons.shape, 0.9, 0.05)
    let (loss, gradient) = matching.lossAndGradient((poisons + change).contiguous(format), labels: labels(4))
    expectClose(loss, try golden.tensor("matching/loss"), tolerance: 2e-6, floor: 1)  // 1 - cos loses digits
    expectClose(gradient, try golden.tensor("matching/grad"), tolerance: 1e-4, floor: 0)
  }

  @Test func gradientNorms() throws {
    let data = ImageDataset(
      name: "bytes", images: poisons.quantized(), labels: labels(4), classNames: (0..<10).map { "\($0)" })
    let norms = try GradientMatching.gradientNorms(model, data, progress: SilentProgress())
    expectClose(norms, try golden.tensor("matching/norms"), tolerance: 1e-4)
  }

  @Test func signedAdamSteps() throws {
    var c = SleeperAgent.Configuration()
    (c.target, c.steps, c.batch, c.augment) = (3, 3, 4, .none)
    expectClose(try #require(golden.settings["bound"].double), c.bound)
    expectClose(try #require(golden.settings["learning_rate"].double), c.learningRate)
    #expect(golden.settings["label"].int == c.target)
    let start = SleeperAgent.projected(pattern(poisons.shape, 0.9, 0.05), around: poisons, bound: c.bound)
    let change = PixelChange(start)
    let optimizer = Adam([change.value], learningRate: c.learningRate)
    try SleeperAgent(c).craft(
      change, optimizer, pixels: poisons, triggered: sources, surrogate: model, stage: "craft", steps: 0..<3,
      context: TrainingContext(precision: .float32, seed: 1))
    // The sign of a gradient that is zero but for rounding may differ: such a pixel ends elsewhere.
    let difference = (change.value.detach() - (try golden.tensor("craft/change"))).abs()
    let far = (difference .> 1e-6).to(.float32).mean().item()
    #expect(far < 0.002, "\(far * 100)% of the pixels differ")
  }

  @Test func equationFour() throws {
    let features = pattern([5, 8], 0.4).requiresGrad_()
    let value = ClusteredTrigger.objective(features, centers: pattern([3, 8], 1.3))
    expectClose(value.detach(), try golden.tensor("cluster/value"))
    expectClose(gradient(of: value, at: features), try golden.tensor("cluster/grad"), tolerance: 1e-5)

    let change = pattern([1, 3, 16, 16], 0.9, 0.3).requiresGrad_()
    let images = (poisons + change).clamped(0, 1)
    let through = ClusteredTrigger.objective(model.features(images).penultimate, centers: pattern([3, 32], 1.3))
    expectClose(through.detach(), try golden.tensor("trigger/value"), tolerance: 1e-5)
    expectClose(gradient(of: through, at: change), try golden.tensor("trigger/grad"), tolerance: 1e-4, floor: 0)
  }

  @Test func identicalImagesHaveAGradient() {
    let features = Tensor.ones([4, 3]).requiresGrad_()
    let slope = gradient(of: ClusteredTrigger.objective(features, centers: Tensor.zeros([2, 3])), at: features)
    #expect(slope.array(Float.self).allSatisfy { $0.isFinite })
  }
}

/// What both attacks do with a data set.
@Suite struct AdaptiveAttackTests: LearningAttackSuite {
  let data = ImageDataset.tiny(count: 80)

  private var sleeper: SleeperAgent {
    var c = SleeperAgent.Configuration()
    (c.rate, c.target, c.size, c.steps, c.retrain, c.batch, c.bound) = (0.1, 1, 4, 12, 2, 3, 16.0 / 255)
    (c.surrogate.epochs, c.surrogate.batch, c.surrogate.crop) = (2, 16, 0)
    return SleeperAgent(c)
  }
  private var clustered: ClusteredTrigger {
    var c = ClusteredTrigger.Configuration()
    (c.rate, c.target, c.epochs, c.batch) = (0.3, 1, 6, 8)
    (c.pretrain.epochs, c.pretrain.batch) = (2, 16)
    return ClusteredTrigger(c)
  }

  /// The loss of every epoch of the stages whose names begin so.
  private func losses(_ attack: some Attack, _ prefix: String) throws -> (learned: [String: Tensor], losses: [Double]) {
    let training = training()
    var losses: [Double] = []
    training.onEpoch = { report in
      if report.stage.hasPrefix(prefix) { losses += report.values.filter { $0.key == "loss" }.map(\.value) }
    }
    return (try attack.learn(context(training)), losses)
  }

  @Test func sleeperAgentChangesImagesOfTheTargetClass() throws {
    // Without augmentation, so that the losses of steps compare.
    let sleeper = SleeperAgent(with(self.sleeper.configuration) { $0.augment = .none })
    let (learned, losses) = try losses(sleeper, "attack-craft-0")
    #expect(losses.count == 4 && losses[3] < losses[0], "matching loss: \(losses)")
    let outcome = try sleeper.execute(context(training()), learned: learned)
    #expect(outcome.train.indices.count == 8)
    #expect(outcome.train.data.labelArray() == data.labelArray(), "clean labels")
    #expect(outcome.tasks.map(\.mapping) == [.allToOne(target: 1)])
    let difference = outcome.train.data.images.to(.int64) - data.images.to(.int64)
    #expect(difference.abs().max().intItem() <= 16)
    for position in 0..<data.count {
      let isChanged = difference[position].abs().max().intItem() > 0
      #expect(isChanged == outcome.train.indices.contains(position))
      if isChanged { #expect(data.labelArray()[position] == 1) }
    }
    expectSame(outcome.train.trueLabels, data.labels)
  }

  @Test func adversarialSurrogatesGiveOtherPoisons() throws {
    var c = sleeper.configuration
    c.adversarial = true
    c.linf.steps = 1
    c.choice = .random
    let usual = try SleeperAgent(with(c) { $0.adversarial = false }).learn(context(training()))
    let adaptive = try SleeperAgent(c).learn(context(training()))
    #expect((usual["images"]! .!= adaptive["images"]!).any().intItem() != 0)
    expectSame(usual["positions"]!, adaptive["positions"]!, "the random choice does not depend on the surrogate")
  }

  private func with<C>(_ value: C, _ change: (inout C) -> Void) -> C {
    var value = value
    change(&value)
    return value
  }

  @Test func roundsBetweenRetraining() {
    #expect(SleeperAgent.rounds(steps: 250, retrain: 4) == [0..<50, 50..<100, 100..<150, 150..<200, 200..<250])
    #expect(SleeperAgent.rounds(steps: 7, retrain: 2) == [0..<2, 2..<4, 4..<7])
    #expect(SleeperAgent.rounds(steps: 2, retrain: 4) == [0..<1, 1..<2])
    #expect(SleeperAgent.rounds(steps: 5, retrain: 0) == [0..<5])
    #expect(
      [0, 2, 3, 5, 7].map { SleeperAgent.rate(1, step: $0, of: 8) }
        == [1, 1, 0.1, 0.1 * 0.1, 0.1 * 0.1 * 0.1].map { $0 })
  }

  @Test func clusteredTriggerGathersPoisonedImages() throws {
    let (learned, losses) = try losses(clustered, "attack-trigger")
    #expect(losses.count == 6 && losses[5] < losses[0], "objective: \(losses)")
    let outcome = try clustered.execute(context(training()), learned: learned)
    #expect(outcome.train.indices.count == 24)
    let trigger = try #require(outcome.tasks[0].trigger as? AddedPattern)
    let position = outcome.train.indices[0]
    expectSame(
      outcome.train.data.images[position], trigger.stamp(data.images[position..<(position + 1)], Generator(seed: 0))[0])
    #expect(data.labelArray()[position] != 1 && outcome.train.data.labelArray()[position] == 1)
  }

  @Test func patternIsAddedAndClipped() {
    let trigger = AddedPattern(pattern: [0.5, -0.5, 0.1, 0], shape: ImageShape(channels: 1, height: 2, width: 2))
    let images = Tensor([Float]([0.75, 0.25, 0.5, 0.2]), shape: [1, 1, 2, 2])
    expectClose(trigger(images, Generator(seed: 0)), Tensor([Float]([1, 0, 0.6, 0.2]), shape: [1, 1, 2, 2]))
  }

  @Test func theBoundHolds() throws {
    let c = with(clustered.configuration) { $0.bound = 8.0 / 255 }
    let learned = try ClusteredTrigger(c).learn(context(training()))
    #expect(try #require(learned["trigger"]).abs().max().item() <= 8.0 / 255 + 1e-7)
  }

  @Test(arguments: ["sleeper-agent", "clustered-trigger"]) func aKilledAttackGoesOnToTheSameBits(_ name: String) throws
  {
    let attack: any Attack = name == SleeperAgent.id ? sleeper : clustered
    try expectResumes(attack, stages: 2)
  }

  @Test func badInput() throws {
    func error(_ attack: some Attack) -> String { errorText { _ = try attack.execute(context(training())) } }
    #expect(
      error(SleeperAgent(with(sleeper.configuration) { $0.rate = 0.5 })).contains("The largest possible rate is 0.25"))
    #expect(error(SleeperAgent(with(sleeper.configuration) { $0.source = 1 })).contains("both class 1"))
    #expect(error(SleeperAgent(with(sleeper.configuration) { $0.target = 9 })).contains("class 9 does not exist"))
    #expect(error(SleeperAgent(with(sleeper.configuration) { $0.size = 40 })).contains("does not fit"))
    #expect(error(SleeperAgent(with(sleeper.configuration) { $0.rate = 0.001 })).contains("The least rate"))
    #expect(error(ClusteredTrigger(with(clustered.configuration) { $0.rate = 0.01 })).contains("Raise it"))
    #expect(error(ClusteredTrigger(with(clustered.configuration) { $0.target = 9 })).contains("class 9 does not exist"))
    let unlearned = #expect(throws: BackdoorError.self) { try clustered.tasks(for: data.shape, seed: 1) }
    #expect("\(unlearned!)".contains("poison.json"))
    #expect(throws: BackdoorError.self) { try sleeper.execute(context(training()), learned: [:]) }
    #expect(throws: BackdoorError.self) {
      try sleeper.execute(AttackContext(train: data, seed: 5, training: training()))
    }
  }
}
