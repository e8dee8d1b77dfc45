import Backdoor
import Support
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Attacks

/// One step of each attack that trains the model, against values from Python torch (`make_training_attacks.py`).
@Suite struct TrainingAttackGoldenTests {
  private let golden: Golden
  private let images = imagePattern([6, 3, 16, 16], 0.2)
  private let others = imagePattern([6, 3, 16, 16], 0.9)
  private let labels = Tensor([1, 4, 0, 9, 8, 2] as [Int64])
  private let training = TrainingContext(precision: .float32)

  init() throws { golden = try Golden("training_attacks") }

  private func classifier() -> Classifier {
    let model = goldenNetwork()
    model.to(.channelsLast)
    return model
  }
  private func expectNorms(_ gradients: [Tensor], _ key: String) throws {
    let norms = Tensor.stacked(gradients.map { $0.contiguous().flattened().norm(2) })
    // Biases before BatchNorm have no gradient but rounding.
    expectClose(norms, try golden.tensor(key), tolerance: 2e-4, floor: 1, key)
  }
  private func norms(_ loss: Tensor, _ module: Module) -> [Tensor] {
    gradients(of: loss, at: module.parameters(), retainGraph: true)
  }
  private func shifted<C: PoisoningSettings>(_ settings: C, _ edit: (inout C) -> Void) -> C {
    var settings = settings
    (settings.mapping, settings.shift) = (.allToAll, 3)
    edit(&settings)
    return settings
  }

  @Test func waNet() throws {
    let attack = WaNetTraining(
      shifted(.init()) { ($0.rate, $0.crossRatio, $0.noise) = (0.34, 1.5, 2) })
    let shape = ImageShape(channels: 3, height: 16, width: 16)
    let field = WaNet.field(pattern([1, 2, 3, 3], 0.2), shape: shape)
    let warp = Warp(grid: WaNet.grid(field, strength: 1.5, shape: shape).array(Float.self), shape: shape)
    let (stamped, targets) = attack.stamped(
      images, labels, classes: 10, warp, attack.shares(of: 6), shifts: pattern([3, 16, 16, 2], 0.7))
    expectClose(stamped, try golden.tensor("wanet/stamped"), tolerance: 1e-5, floor: 1)
    let model = classifier()
    let loss = F.crossEntropy(model(stamped), targets)
    expectClose(loss, try golden.tensor("wanet/loss"), tolerance: 1e-4)
    try expectNorms(norms(loss, model), "wanet/norms")
  }

  private func generator(_ outputs: Int, phase: Double) -> TriggerGenerator {
    let network = TriggerGenerator(
      channels: 3, outputs: outputs, width: 2, levels: 2,
      normalization: Normalization(mean: [0.4, 0.5, 0.6], standardDeviation: [0.2, 0.25, 0.3]), Generator(seed: 0))
    let floating = network.stateDict().entries.filter {
      $0.tensor.dtype.isFloatingPoint && !["mean", "deviation"].contains($0.key)
    }
    noGrad {
      for (index, entry) in floating.enumerated() {
        entry.tensor.copy_(filled(entry.key, entry.tensor.shape, Double(index) + phase))
      }
    }
    return network
  }

  @Test func masks() throws {
    let attack = InputAware(
      shifted(.init()) { ($0.density, $0.densityWeight, $0.diversity) = (0.4, 7, 1.5) })
    let mask = generator(1, phase: 1.1)
    let (own, other) = (TriggerGenerator.threshold(mask(images)), TriggerGenerator.threshold(mask(others)))
    expectClose(own, try golden.tensor("mask/own"), tolerance: 1e-3, floor: 1)  // 20 z - 10 has 20 times the rounding.
    let loss = attack.maskLoss(own, other, mask.distance(images, others)).value
    expectClose(loss, try golden.tensor("mask/loss"), tolerance: 1e-4)
    try expectNorms(norms(loss, mask), "mask/norms")
  }

  @Test func masksWithPatterns() throws {
    let attack = InputAware(
      shifted(.init()) { ($0.rate, $0.crossRate, $0.diversity) = (0.5, 0.34, 1.5) })
    let (model, networks) = (
      classifier(), TriggerNetworks(mask: generator(1, phase: 1.1), pattern: generator(3, phase: 2.3))
    )
    networks.mask.eval()
    let own = networks.trigger(of: images[0..<3]).stamped(on: images[0..<3])
    let cross = networks.trigger(of: others[3..<5]).stamped(on: images[3..<5])
    expectClose(Tensor.concatenated([own, cross]), try golden.tensor("joint/stamped"), tolerance: 1e-4, floor: 1)
    let loss = attack.jointLoss(model, networks, images, others, labels, smoothing: 0, training).value
    expectClose(loss, try golden.tensor("joint/loss"), tolerance: 1e-4)
    try expectNorms(norms(loss, model), "joint/norms")
    try expectNorms(norms(loss, networks.pattern), "joint/pattern_norms")
  }

  @Test(arguments: LIRA.Network.allCases, BatchStatistics.allCases)
  func lira(_ kind: LIRA.Network, _ statistics: BatchStatistics) throws {
    let attack = LIRA(
      shifted(.init()) { c in
        (c.network, c.width, c.alpha, c.share, c.statistics) = (kind, 2, 0.3, 0.67, statistics)
      })
    let step = LIRAStep(attack, bound: 0.1, smoothing: 0, training: training)
    let shape = ImageShape(channels: 3, height: 16, width: 16)
    func network() -> PerturbationNetwork {
      attack.makeNetwork(shape, Generator(seed: 0)).fillWithPattern(phaseOffset: 0.6)
    }
    let name = "lira_\(kind.rawValue)" + (statistics == .joint ? "_joint" : "")
    let trained = network()
    let search = step.searchLoss(classifier(), trained, images, labels)
    expectClose(search, try golden.tensor("\(name)/search"), tolerance: 1e-4)
    try expectNorms(norms(search, trained), "\(name)/search_norms")
    let (model, frozen) = (classifier(), network())
    frozen.eval()
    let triggered = (images + frozen(images) * 0.1).clamped(0, 1)
    expectClose(triggered, try golden.tensor("lira_\(kind.rawValue)/triggered"), tolerance: 1e-5, floor: 1)
    let (clean, poisoned) = step.modelLosses(model, frozen, images, labels)
    expectClose(clean, try golden.tensor("\(name)/clean"), tolerance: 1e-4)
    expectClose(poisoned, try golden.tensor("\(name)/poisoned"), tolerance: 1e-4)
    try expectNorms(norms(step.mixed(clean, poisoned), model), "\(name)/norms")
  }

  @Test(arguments: BatchStatistics.allCases) func blind(_ statistics: BatchStatistics) throws {
    let attack = Blind(
      shifted(.init()) { ($0.share, $0.row, $0.column, $0.statistics) = (0.67, 2, 7, statistics) })
    let name = statistics == .joint ? "blind_joint" : "blind"
    let trigger = try attack.pattern(for: ImageShape(channels: 3, height: 16, width: 16))
    let step = attack.step(classifier(), trigger, images, labels, smoothing: 0, training)
    let parts = Dictionary(uniqueKeysWithValues: step.parts.map { ($0.key, $0.value) })
    expectClose(try #require(parts["main"]), try golden.tensor("\(name)/main"), tolerance: 1e-4)
    expectClose(try #require(parts["triggered"]), try golden.tensor("\(name)/backdoor"), tolerance: 1e-4)
    expectClose(try #require(parts["mainWeight"]), try golden.tensor("\(name)/weight"), tolerance: 2e-4, floor: 1)
    try expectNorms(try #require(step.gradients), "\(name)/norms")
  }

  @Test func adversarialEmbedding() throws {
    let attack = AdversarialEmbedding(shifted(.init()) { ($0.rate, $0.lambda) = (0.34, 1.5) })
    let trigger = try attack.tasks(
      for: ImageShape(channels: 3, height: 16, width: 16), seed: 0, learned: [:])[0].trigger
    let model = classifier()
    let discriminator = FeatureDiscriminator(inputs: 32, widths: [8, 4], Generator(seed: 0))
      .fillWithPattern(phaseOffset: 0.9)
    let noise = pattern([6, 32], 1.7) * 0.5
    let seen = attack.classified(model, trigger, images, labels, training)
    let told = discriminator.loss(seen.features + noise, seen.isTriggered)
    expectClose(told, try golden.tensor("embedding/told"), tolerance: 1e-4)
    try expectNorms(norms(told, discriminator), "embedding/told_norms")
    let loss = attack.objective(seen, discriminator, noise: noise, smoothing: 0).value
    expectClose(loss, try golden.tensor("embedding/loss"), tolerance: 1e-4)
    try expectNorms(norms(loss, model), "embedding/norms")
    #expect(discriminator.parameters().allSatisfy { $0.requiresGrad })
  }

  /// Two vectors on a line, at an angle, and the ends.
  @Test func leastNorm() {
    #expect(abs(Blind.leastNorm(1, 0, 1) - 0.5) < 1e-12 && abs(Blind.leastNorm(1, 0, 3) - 0.75) < 1e-12)
    #expect(Blind.leastNorm(1, 2, 4) == 0.999 && Blind.leastNorm(4, 2, 1) == 0.001)
  }
}
