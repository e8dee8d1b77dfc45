// Input-Aware (Nguyen, Tran, Input-Aware Dynamic Backdoor Attack, NeurIPS 2020, arXiv:2010.08138): each image has a trigger
// of its own, made by a generator, and the trigger of another image does nothing.
//
//   B(x, t) = x (1 - m) + p m,   m = threshold(M(t)),  p = G(t);   the trigger of x is B(x, x), of another image B(x, t)
//
// First the mask network M alone, then frozen:
//   100 mean(relu(m - .032)) + mean_i |x_i - t_i| / |m(x_i) - m(t_i)|              over all images x and others t
// Then the classifier f and the pattern network G together, one step from one loss:
//   CE(f) on the batch [rho_b B of B(x, x), label eta(y); rho_c B of B(x, t), label y; the rest as it is]
//   + mean_i |x_i - t_i| / |G(x_i) - G(t_i)|                                        over the triggered images x_i and the
//                                                                                    images t_i of the cross triggers
// |.| is the root of the mean square. Defaults are the authors' code's: rho_b = rho_c = .1, 25 epochs for M, Adam .01
// (.5, .9) for M (/10 at 10 and 20) and G (/10 at 200, 300, 400 and 500). Its 600 epochs of SGD .01 for f are the recipe's
// affair. Distances of images and patterns are in normalised pixels, as there.
//
// Decided here: the other images are drawn with replacement, with crops and flips of their own (the authors: a second
// order of the training set); where rho_b and rho_c differ, the diversity term has as many pairs as the smaller one; the
// mask network makes one pass over a batch (the authors: two). The last networks are kept, as in the authors' code.

public import Backdoor
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct InputAware: TrainingAttack {
  public static let id = "input-aware"
  public static let summary = "A trigger for each image, by a mask and a pattern network; others' do nothing."
  public static let paper = "Nguyen and Tran 2020, Input-Aware Dynamic Backdoor Attack (NeurIPS, arXiv:2010.08138)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var crossRate = 0.1
    public var diversity = 1.0
    public var density = 0.032
    public var densityWeight = 100.0
    public var maskEpochs = 25
    public var maskLearningRate = 0.01
    public var maskMilestones = [10, 20]
    public var patternLearningRate = 0.01
    public var patternMilestones = [200, 300, 400, 500]
    public var width = 32
    public var levels = 3
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("authors' code: .1 of each batch; also of the poisoned set") + [
        Setting(
          "crossRate", "Share of each batch, and of the poisoned set, that shows another image's trigger.",
          unit: "fraction", range: 0...1, source: "authors' code: .1"),
        Setting(
          "diversity", "Weight of the diversity losses (lambda_div).", range: 0...1e6, source: "Nguyen and Tran: 1"),
        Setting(
          "density", "Share of the pixels that a mask may cover for nothing.", unit: "fraction", range: 0...1,
          source: "authors' code: .032"),
        Setting(
          "densityWeight", "Weight of what is above it (lambda_norm).", range: 0...1e6, source: "authors' code: 100"),
        Setting(
          "maskEpochs", "Epochs of the mask network, before the model's.", unit: "epochs", range: 0...100_000,
          source: "authors' code: 25"),
        Setting("maskLearningRate", "Adam's, for the mask network.", range: 0...100, source: "authors' code: .01"),
        Setting(
          "maskMilestones", "Epochs at which it is divided by 10.", unit: "epochs", range: 0...100_000,
          source: "authors' code: 10, 20"),
        Setting(
          "patternLearningRate", "Adam's, for the pattern network.", range: 0...100, source: "authors' code: .01"),
        Setting(
          "patternMilestones", "Epochs at which it is divided by 10.", unit: "epochs", range: 0...100_000,
          source: "authors' code: 200, 300, 400, 500"),
        Setting(
          "width", "Channels of both networks' first level.", unit: "channels", range: 1...256,
          source: "Nguyen and Tran: 32; MNIST: 16"),
        Setting(
          "levels", "Max-pools of both networks.", range: 1...5, source: "Nguyen and Tran: 3; MNIST: 2"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection {
    configuration.poisonSelection(
      covers: min(configuration.crossRate, 1 - configuration.rate), setting: "attack.crossRate")
  }

  public func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor] {
    let training = context.training
    try context.checkBatch("attack.rate", configuration.rate)
    if configuration.crossRate > 0 { try context.checkBatch("attack.crossRate", configuration.crossRate) }
    try check(context.train.shape)
    let data = context.train.to(training.device)
    let networks = makeNetworks(
      context.train.shape, model.spec?.shape.normalization ?? .none, mask: Generator(seed: context.seed("mask")),
      pattern: Generator(seed: context.seed("pattern")))
    networks.to(training.device)
    try trainMask(networks.mask, on: data, context)
    networks.mask.eval().requiresGrad(false)
    try trainPattern(networks, model, on: data, context)
    return networks.learned(as: Self.key)
  }

  private func check(_ shape: ImageShape) throws(BackdoorError) {
    let side = min(shape.height, shape.width)
    // Batch normalisation needs more than one value a channel, of a single image too.
    guard side >= 2 << configuration.levels else {
      throw .invalid(
        "attack.levels \(configuration.levels): images of \(shape.height)x\(shape.width) cannot be halved so often. "
          + "Lower it, or enlarge the images (dataset.size).")
    }
  }

  // MARK: Masks

  private func trainMask(_ mask: TriggerGenerator, on data: ImageDataset, _ context: AttackContext) throws {
    let (c, training) = (configuration, context.training)
    var recipe = context.recipe
    (recipe.epochs, recipe.clipNorm) = (c.maskEpochs, nil)
    (recipe.learningRate, recipe.schedule, recipe.milestones) = (c.maskLearningRate, .multiStep, c.maskMilestones)
    recipe.gamma = Self.gamma
    let optimizer = Self.optimizer(mask, rate: c.maskLearningRate)
    try Trainer(recipe, stage: "attack-mask").train(mask, on: data, context: training, optimizer: optimizer) { batch in
      let others = Self.others(batch, data, recipe)
      let (own, other) = training.compute { (mask(batch.images), mask(others)) }
      return maskLoss(
        TriggerGenerator.threshold(own), TriggerGenerator.threshold(other), mask.distance(batch.images, others))
    }
  }

  /// - Parameters:
  ///   - own: the masks of a batch, B x 1 x H x W; other: those of the other images.
  ///   - distance: between the images and the other ones, B.
  func maskLoss(_ own: Tensor, _ other: Tensor, _ distance: Tensor) -> BatchLoss {
    let density = (own - configuration.density).relu().mean()
    let diversity = diversity(distance, TriggerGenerator.distance(own, other))
    let loss = density * configuration.densityWeight + diversity * configuration.diversity
    return BatchLoss(loss, parts: ["density": own.detach().mean(), "diversity": diversity])
  }

  private func diversity(_ images: Tensor, _ results: Tensor) -> Tensor { (images / (results + 1e-7)).mean() }

  // MARK: Patterns and the model

  private func trainPattern(
    _ networks: TriggerNetworks, _ model: Classifier, on data: ImageDataset, _ context: AttackContext
  ) throws {
    let (c, recipe, training) = (configuration, context.recipe, context.training)
    let pattern = Self.optimizer(networks.pattern, rate: c.patternLearningRate)
    let schedule = Schedule.multiStep(milestones: c.patternMilestones, gamma: Self.gamma)
    let optimizer = OptimizerGroup([recipe.makeOptimizer(model.parameters()), pattern])
    let joint = ModelAndPattern(model, networks.pattern)
    try Trainer(recipe, stage: "attack-train").train(joint, on: data, context: training, optimizer: optimizer) {
      batch in
      pattern.learningRate = schedule.rate(at: batch.epoch, base: c.patternLearningRate)
      let others = Self.others(batch, data, recipe)
      return jointLoss(
        model, networks, batch.images, others, batch.labels, smoothing: recipe.labelSmoothing, training)
    }
    networks.pattern.eval()
  }

  /// One step's loss.
  /// - Parameters:
  ///   - images: B x C x H x W in [0, 1]; others: as many other images.
  ///   - labels: int64 B.
  func jointLoss(
    _ model: Classifier, _ networks: TriggerNetworks, _ images: Tensor, _ others: Tensor, _ labels: Tensor,
    smoothing: Double, _ training: TrainingContext
  ) -> BatchLoss {
    let count = labels.count
    let shares = BatchShares(of: count, poisoned: configuration.rate) { _ in
      BatchShares.whole(configuration.crossRate, of: count)
    }
    guard !shares.poisoned.isEmpty else {
      return BatchLoss(training.compute { F.crossEntropy(model(images), labels, labelSmoothing: smoothing) })
    }
    var parts = [Tensor]()
    let own = networks.trigger(of: images[shares.poisoned], training)
    parts.append(own.stamped(on: images[shares.poisoned]))
    var diversity: Tensor?
    if !shares.covers.isEmpty {
      let cross = networks.trigger(of: others[shares.covers], training)
      parts.append(cross.stamped(on: images[shares.covers]))
      let pairs = min(shares.poisoned.count, shares.covers.count)
      diversity = self.diversity(
        networks.pattern.distance(images[0..<pairs], others[shares.covers][0..<pairs]),
        networks.pattern.distance(own.pattern[0..<pairs], cross.pattern[0..<pairs]))
    }
    parts.append(images[shares.clean])
    let targets = Tensor.concatenated([
      configuration.labelMapping.targets(of: labels[shares.poisoned], classes: model.classes),
      labels[shares.poisoned.upperBound..<count],
    ])
    let all = Tensor.concatenated(parts).contiguous(.channelsLast)
    let entropy = training.compute { F.crossEntropy(model(all), targets, labelSmoothing: smoothing) }
    guard let diversity else { return BatchLoss(entropy) }
    return BatchLoss(
      entropy + diversity * configuration.diversity, parts: ["crossEntropy": entropy, "diversity": diversity])
  }

  // MARK: Both

  private static let key = "trigger"
  private static let gamma = 0.1

  private static func optimizer(_ network: TriggerGenerator, rate: Double) -> Adam {
    Adam(network.parameters(), learningRate: rate, betas: (0.5, 0.9))
  }

  /// As many other images as the batch has, cropped and mirrored by draws of their own.
  private static func others(_ batch: Batch, _ data: ImageDataset, _ recipe: Recipe) -> Tensor {
    let random = batch.generator("others")
    let positions = random.integers(0..<data.count, [batch.indices.count]).to(data.device)
    return recipe.augmentation.gather(images: data.images, indices: positions, random)
  }

  func makeNetworks(_ shape: ImageShape, _ normalization: Normalization, mask: Generator, pattern: Generator)
    -> TriggerNetworks
  {
    func network(_ outputs: Int, _ generator: Generator) -> TriggerGenerator {
      TriggerGenerator(
        channels: shape.channels, outputs: outputs, width: configuration.width, levels: configuration.levels,
        normalization: normalization, generator)
    }
    return TriggerNetworks(mask: network(1, mask), pattern: network(shape.channels, pattern))
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard !learned.isEmpty else { throw BackdoorError.notLearned(attack: Self.id, key: Self.key) }
    try check(shape)
    let networks = makeNetworks(shape, .none, mask: Generator(seed: 0), pattern: Generator(seed: 0))
    try networks.load(learned, as: Self.key, of: Self.id)
    let cross = GeneratedTrigger(networks) { networks, images, generator in
      networks.trigger(of: images[generator.derangement(images.dimension(0)).to(images.device)]).stamped(on: images)
    }
    return [
      BackdoorTask(
        name: "input-aware", trigger: Self.trigger(networks), mapping: configuration.labelMapping,
        cover: configuration.crossRate > 0 ? cross : nil)
    ]
  }

  private static func trigger(_ networks: TriggerNetworks) -> GeneratedTrigger<TriggerNetworks> {
    GeneratedTrigger(
      networks,
      parts: { networks, images in
        let trigger = networks.trigger(of: images)
        return [TriggerPart("mask", trigger.mask), TriggerPart("pattern", trigger.pattern)]
      }, { networks, images, _ in networks.trigger(of: images).stamped(on: images) })
  }
}

extension InputAware: AttackWithUntrainedTrigger {
  public func untrainedTrigger(for shape: ImageShape, _ random: Generator) -> any Trigger {
    Self.trigger(makeNetworks(shape, .none, mask: random, pattern: random))
  }
}

/// Both networks of the trigger.
final class TriggerNetworks: Module {
  let mask: TriggerGenerator
  let pattern: TriggerGenerator
  init(mask: TriggerGenerator, pattern: TriggerGenerator) { (self.mask, self.pattern) = (mask, pattern) }

  /// The triggers of images, in float32.
  /// - Parameter training: computes in its precision; nil in the images' own.
  func trigger(of images: Tensor, _ training: TrainingContext? = nil) -> ImageTrigger {
    let images = images.contiguous(.channelsLast)
    func compute(_ network: TriggerGenerator) -> Tensor {
      training.map { $0.compute { network(images) } } ?? network(images)
    }
    return ImageTrigger(pattern: compute(pattern), mask: TriggerGenerator.threshold(compute(mask)))
  }
}

/// The triggers of a batch of images: patterns, B x C x H x W, and masks, B x 1 x H x W, in (0, 1).
struct ImageTrigger {
  let pattern: Tensor
  let mask: Tensor
  func stamped(on images: Tensor) -> Tensor { images + (pattern - images) * mask }
}

/// What is trained together.
private final class ModelAndPattern: Module {
  let model: Classifier
  let pattern: TriggerGenerator
  init(_ model: Classifier, _ pattern: TriggerGenerator) { (self.model, self.pattern) = (model, pattern) }
}
