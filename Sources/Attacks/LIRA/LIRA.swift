// LIRA (Doan, Lao, Zhao, Li, Learnable, Imperceptible and Robust Backdoor Attacks, ICCV 2021): the trigger is a bounded
// perturbation that a network makes for each image, trained together with the classifier:
//
//   T(x) = clip(x + e g(x), 0, 1),  |g(x)| <= 1
//
// Stage I, for each batch, with a copy g' of the network that follows it at the end of each epoch:
//   1. g  <- one step on CE(f(T_g(x)), eta(y))
//   2. f  <- one step on a CE(f(x), y) + (1 - a) CE(f(T_g'(x)), eta(y))
// Stage II: g is frozen, with another bound; f <- steps on the same loss.
//
// a = .5; stage I of 50 epochs, g by Adam 1e-4, f by SGD .01 with momentum .9; e = .1 in stage I and .01 in stage II, as in
// the authors' examples. Stage II is the experiment's recipe (theirs: SGD .01, /10 at 100, 200, 300 and 400, of 500 epochs).
//
// Decided here: e is in pixels (the authors': in normalised pixels, so about a fourth of it); the last network of stage I
// is kept (theirs: the one that is best on test data); the model goes on from stage I, as the paper says ("fine-tuning"),
// where the authors' command begins anew (`fromScratch`). The clean and the triggered half of a batch pass the classifier
// together (`statistics`); there, one after the other, each with statistics of its own. On CIFAR-10 (width 16, 10 and 15
// epochs) the model then told them apart by these: 13.6% accuracy, and with statistics of clean images 83.6% and an attack
// success of 1.1%.

public import Backdoor
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct LIRA: TrainingAttack {
  public static let id = "lira"
  public static let summary = "A bounded perturbation by a network that is trained together with the model."
  public static let paper = "Doan et al. 2021, LIRA (ICCV)"

  public enum Network: String, Codable, Sendable, CaseIterable {
    case unet
    case autoencoder
  }

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var share = 1.0
    public var alpha = 0.5
    public var network = Network.unet
    public var width = 64
    public var jointEpochs = 50
    public var jointEpsilon = 0.1
    public var epsilon = 0.01
    public var learningRate = 0.01
    public var generatorLearningRate = 1e-4
    public var fromScratch = false
    public var statistics = BatchStatistics.joint
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("decided here, of the poisoned set alone: .1") + [
        Setting(
          "share", "Share of each batch that is learned with its trigger as well.", unit: "fraction", range: 0...1,
          source: "authors' code: 1"),
        Setting(
          "alpha", "Weight of the clean loss; the triggered one has the rest.", range: 0...1,
          source: "Doan et al.: .5"),
        Setting(
          "network", "Which network makes the perturbation.", choices: Network.allCases.map(\.rawValue),
          source: "authors' code: unet on CIFAR-10, autoencoder on GTSRB and Tiny ImageNet"),
        Setting(
          "width", "Channels of its first level.", unit: "channels", range: 1...256,
          source: "authors' code: 64 of the U-Net, 16 of the autoencoder"),
        Setting(
          "jointEpochs", "Epochs of network and model together (stage I).", unit: "epochs", range: 0...100_000,
          source: "authors' code: 50 on CIFAR-10"),
        Setting(
          "jointEpsilon", "Largest change of a pixel in stage I.", unit: "pixels in [0,1]", range: 0...1,
          source: "authors' code: .1 of normalised pixels"),
        Setting(
          "epsilon", "Largest change of a pixel in stage II and afterwards.", unit: "pixels in [0,1]", range: 0...1,
          source: "authors' code: .01 of normalised pixels"),
        Setting("learningRate", "SGD's, for the model in stage I.", range: 0...100, source: "authors' code: .01"),
        Setting(
          "generatorLearningRate", "Adam's, for the perturbation network.", range: 0...100,
          source: "authors' code: 1e-4"),
        Setting(
          "fromScratch", "Begin stage II with a new model rather than with that of stage I.",
          source: "the paper goes on; authors' command: new"),
        BatchStatistics.setting("decided here; authors' code: separate"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor] {
    try context.checkBatch("attack.share", configuration.share, least: 2)
    try check(context.train.shape)
    let data = context.train.to(context.training.device)
    let generator = try trainJointly(model, on: data, context)
    if configuration.fromScratch { try model.load(context.makeModel("final").stateDict(), source: "a new model") }
    try fineTune(model, generator, on: data, context)
    return generator.learned(as: Self.key)
  }

  /// Stage I.
  private func trainJointly(_ model: Classifier, on data: ImageDataset, _ context: AttackContext) throws
    -> PerturbationNetwork
  {
    let (c, training) = (configuration, context.training)
    let networks = Joint(
      model: model, generator: makeNetwork(data.shape, Generator(seed: context.seed("generator"))),
      follower: makeNetwork(data.shape, Generator(seed: context.seed("generator"))))
    networks.to(training.device)
    let own = Adam(networks.generator.parameters(), learningRate: c.generatorLearningRate)
    let sgd = SGD(model.parameters(), learningRate: c.learningRate, momentum: 0.9)
    var recipe = context.recipe
    (recipe.epochs, recipe.learningRate, recipe.schedule) = (c.jointEpochs, c.learningRate, .constant)
    var followed = -1
    try Trainer(recipe, stage: "attack-joint").train(
      networks, on: data, context: training, optimizer: OptimizerGroup([sgd, own])
    ) { batch in
      if batch.epoch != followed {
        followed = batch.epoch
        try networks.follower.load(networks.generator.stateDict(), source: "the network")
        networks.follower.eval()
      }
      let step = LIRAStep(self, bound: c.jointEpsilon, smoothing: recipe.labelSmoothing, training: training)
      let search = step.searchLoss(model, networks.generator, batch.images, batch.labels)
      own.step(gradients: gradients(of: search, at: own.parameters), clipNorm: recipe.clipNorm)
      let (clean, triggered) = step.modelLosses(model, networks.follower, batch.images, batch.labels)
      return BatchLoss(
        step.mixed(clean, triggered), parts: ["search": search.detach(), "clean": clean, "triggered": triggered])
    }
    networks.generator.eval()
    return networks.generator
  }

  /// Stage II.
  private func fineTune(
    _ model: Classifier, _ generator: PerturbationNetwork, on data: ImageDataset, _ context: AttackContext
  ) throws {
    generator.eval().requiresGrad(false)
    let recipe = context.recipe
    try Trainer(recipe, stage: "attack-train").train(model, on: data, context: context.training) { batch in
      let step = LIRAStep(
        self, bound: configuration.epsilon, smoothing: recipe.labelSmoothing, training: context.training)
      let (clean, triggered) = step.modelLosses(model, generator, batch.images, batch.labels)
      return BatchLoss(step.mixed(clean, triggered), parts: ["clean": clean, "triggered": triggered])
    }
  }

  private static let key = "generator"

  private func check(_ shape: ImageShape) throws(BackdoorError) {
    let (height, width) = (shape.height, shape.width)
    switch configuration.network {
    case .unet:
      guard min(height, width) >= 8 else {
        throw .invalid("attack.network unet: images of \(height)x\(width) are smaller than 8x8 (dataset.size).")
      }
    case .autoencoder:
      let unit = 1 << PerturbationAutoencoder.levels
      guard height % unit == 0, width % unit == 0 else {
        throw .invalid(
          "attack.network autoencoder: sides have to be divisible by \(unit), and images are \(height)x\(width). "
            + "Choose unet, or another dataset.size.")
      }
    }
  }

  func makeNetwork(_ shape: ImageShape, _ random: Generator) -> PerturbationNetwork {
    switch configuration.network {
    case .unet: UNet(channels: shape.channels, width: configuration.width, random)
    case .autoencoder: PerturbationAutoencoder(channels: shape.channels, width: configuration.width, random)
    }
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard !learned.isEmpty else { throw BackdoorError.notLearned(attack: Self.id, key: Self.key) }
    try check(shape)
    let network = makeNetwork(shape, Generator(seed: 0))
    try network.load(learned, as: Self.key, of: Self.id)
    return [BackdoorTask(name: "perturbation", trigger: trigger(network), mapping: configuration.labelMapping)]
  }

  private func trigger(_ network: PerturbationNetwork) -> GeneratedTrigger<PerturbationNetwork> {
    let bound = configuration.epsilon
    return GeneratedTrigger(network) { network, images, _ in images + network(images) * bound }
  }
}

extension LIRA: AttackWithUntrainedTrigger {
  public func untrainedTrigger(for shape: ImageShape, _ random: Generator) -> any Trigger {
    trigger(makeNetwork(shape, random))
  }
}

/// The losses of one step of LIRA.
struct LIRAStep {
  let configuration: LIRA.Configuration
  /// Largest change of a pixel, e.
  let bound: Double
  let smoothing: Double
  let training: TrainingContext

  init(_ attack: LIRA, bound: Double, smoothing: Double, training: TrainingContext) {
    (configuration, self.bound, self.smoothing, self.training) = (attack.configuration, bound, smoothing, training)
  }

  /// What the perturbation network makes smaller: `CE(f(T(x)), eta(y))`.
  /// - Parameters:
  ///   - images: B x C x H x W in [0, 1]; labels: int64 B.
  func searchLoss(_ model: Classifier, _ network: PerturbationNetwork, _ images: Tensor, _ labels: Tensor) -> Tensor {
    let triggered = triggered(network, images)
    let logits =
      configuration.statistics == .joint
      ? configuration.statistics.logits(model, images, triggered, training).triggered
      : training.compute { model(triggered) }
    return triggeredLoss(logits, model, labels)
  }

  /// The two parts of the model's loss; the network is a constant.
  func modelLosses(_ model: Classifier, _ network: PerturbationNetwork, _ images: Tensor, _ labels: Tensor)
    -> (clean: Tensor, triggered: Tensor)
  {
    let triggered = network.withFrozenParameters { self.triggered(network, images) }
    let logits = configuration.statistics.logits(model, images, triggered, training)
    let clean = training.compute { F.crossEntropy(logits.clean, labels, labelSmoothing: smoothing) }
    return (clean, triggeredLoss(logits.triggered, model, labels))
  }

  /// The triggered share of a batch; the network sees all of it.
  private func triggered(_ network: PerturbationNetwork, _ images: Tensor) -> Tensor {
    let noise = training.compute { network(images) }.to(.float32)
    let count = BatchShares.count(configuration.share, of: images.dimension(0), least: 2)
    return (images + noise * bound).clamped(0, 1)[0..<count].contiguous(.channelsLast)
  }

  private func triggeredLoss(_ logits: Tensor, _ model: Classifier, _ labels: Tensor) -> Tensor {
    let targets = configuration.labelMapping.targets(of: labels[0..<logits.dimension(0)], classes: model.classes)
    return training.compute { F.crossEntropy(logits, targets, labelSmoothing: smoothing) }
  }

  func mixed(_ clean: Tensor, _ triggered: Tensor) -> Tensor {
    clean * configuration.alpha + triggered * (1 - configuration.alpha)
  }
}

/// What stage I trains: the classifier, the network, and the copy of the network that follows it.
private final class Joint: Module {
  let model: Classifier
  let generator: PerturbationNetwork
  let follower: PerturbationNetwork
  init(model: Classifier, generator: PerturbationNetwork, follower: PerturbationNetwork) {
    (self.model, self.generator, self.follower) = (model, generator, follower)
  }
}
