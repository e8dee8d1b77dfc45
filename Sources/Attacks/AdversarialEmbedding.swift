// Adversarial Embedding (Tan, Shokri, Bypassing Backdoor Detection Algorithms in Deep Learning, EuroS&P 2020,
// arXiv:1905.13409), section on adversarial backdoor embedding: the attacker trains the model so that the features of
// triggered images cannot be told from those of clean ones, which detectors by features rely on. A discriminator D reads
// the penultimate features z(x) and says whether x carries the trigger (b = 1):
//
//   D      <- steps on CE(D(z(x)), b)
//   model  <- a step on CE(f(x), y) - lambda CE(D(z(x)), b),   y the target where b = 1
//
// in turns, on batches a share of which carries the trigger. D is as the Adversarial Robustness Toolbox (ART) has it:
// Gaussian noise of deviation 1 on the features, layers of 256 and 128 with BatchNorm and leaky ReLU (.2), two outputs; a
// share of .05. In ART one optimizer steps model and discriminator along the same sum of losses, so that its
// discriminator learns to be wrong; here it descends its own loss, as in the paper. Its lambda of 10 and Adam 1e-4 do not
// carry over: against a discriminator that is slower than the model, the model learns to mislead it and little else
// (CIFAR-10, width 8, 5,000 images, 5 epochs: accuracy 13%, at lambda 1 18%, at 0 46%). Lambda 1 and Adam 1e-3 here.
//
// Decided here: one step of D for each of the model's, before it and on the same batch; the trigger is a white square of
// 3 pixels, as in the benchmarks; images are triggered after crop and flip, so that the model sees the trigger as it is
// in use; D and its input are in float32. The features are those of one forward pass for both steps. D is not kept.

public import Backdoor
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct AdversarialEmbedding: TrainingAttack {
  public static let id = "adversarial-embedding"
  public static let summary = "A patch whose features a discriminator cannot tell from clean ones."
  public static let paper = "Tan and Shokri 2020, Bypassing Backdoor Detection Algorithms (EuroS&P, arXiv:1905.13409)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.05
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var lambda = 1.0
    public var noise = 1.0
    public var widths = [256, 128]
    public var discriminatorSteps = 1
    public var discriminatorRate = 1e-3
    public var size = 3
    public var pattern = BadNets.Pattern.white
    public var place = BadNets.Place.bottomRight
    public var margin = 0
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("ART: .05 of the training images; here of each batch, and of the poisoned set") + [
        Setting(
          "lambda", "Weight of the discriminator's loss, which the model makes larger.", range: 0...1e6,
          source: "decided here: 1; ART: 10"),
        Setting(
          "noise", "Deviation of the Gaussian noise on the features that the discriminator sees.", range: 0...1e6,
          source: "ART: 1"),
        Setting(
          "widths", "Outputs of the discriminator's hidden layers.", unit: "features", range: 1...65_536,
          source: "ART: 256, 128"),
        Setting(
          "discriminatorSteps", "Steps of the discriminator before each of the model.", unit: "steps",
          range: 1...1000, source: "decided here: 1"),
        Setting(
          "discriminatorRate", "Adam's, for the discriminator.", range: 0...100, source: "decided here: 1e-3; ART: 1e-4"
        ),
        Setting("size", "Side of the patch.", unit: "pixels", range: 1...1024, source: "benchmarks: 3"),
        Setting(
          "pattern", "What the patch shows.",
          choices: BadNets.Pattern.allCases.filter { $0 != .image }.map(\.rawValue), source: "benchmarks: white"),
        Setting(
          "place", "Where the patch sits.", choices: BadNets.Place.allCases.map(\.rawValue),
          source: "benchmarks: lower right"),
        Setting("margin", "Distance of the patch from the image's edge.", unit: "pixels", range: 0...1024),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor] {
    let (c, recipe, training) = (configuration, context.recipe, context.training)
    try context.checkBatch("attack.rate", c.rate)
    guard min(recipe.batch, context.train.count) > 1 else {
      throw BackdoorError.invalid("recipe.batch \(recipe.batch): \(Self.id) needs at least 2 images in a batch.")
    }
    let trigger = try patch(for: context.train.shape, seed: context.seed)
    let discriminator = FeatureDiscriminator(
      inputs: model.featureCount(for: context.train), widths: c.widths, Generator(seed: context.seed("discriminator")))
    discriminator.to(training.device)
    let own = Adam(discriminator.parameters(), learningRate: c.discriminatorRate)
    let optimizer = OptimizerGroup([recipe.makeOptimizer(model.parameters()), own])
    try Trainer(recipe, stage: "attack-train").train(
      ModelAndDiscriminator(model, discriminator), on: context.train, context: training, optimizer: optimizer
    ) { batch in
      let random = batch.generator("noise")
      func drawn(_ features: Tensor) -> Tensor { (random.normal(features.shape) * c.noise).to(features.device) }
      let seen = classified(model, trigger, batch.images, batch.labels, training)
      for _ in 0..<c.discriminatorSteps {
        let loss = discriminator.loss(seen.features.detach() + drawn(seen.features), seen.isTriggered)
        own.step(gradients: gradients(of: loss, at: own.parameters))
      }
      return objective(seen, discriminator, noise: drawn(seen.features), smoothing: recipe.labelSmoothing)
    }
    return [:]
  }

  /// What the model makes of a batch.
  struct Classified {
    let logits: Tensor
    /// Penultimate features, float32 B x D.
    let features: Tensor
    /// int64 B: the labels that the model is to learn.
    let targets: Tensor
    /// int64 B, each 0 or 1.
    let isTriggered: Tensor
  }

  /// - Parameters:
  ///   - images: B x C x H x W in [0, 1]; the first ones get the trigger. labels: int64 B.
  func classified(
    _ model: Classifier, _ trigger: any Trigger, _ images: Tensor, _ labels: Tensor, _ training: TrainingContext
  ) -> Classified {
    let (count, poisoned) = (labels.count, BatchShares.count(configuration.rate, of: labels.count))
    let stamped = trigger(images[0..<poisoned], Generator(seed: 0))
    let all = Tensor.concatenated([stamped, images[poisoned..<count]]).contiguous(.channelsLast)
    let (logits, features) = training.compute { model.logitsAndFeatures(all) }
    let targets = Tensor.concatenated([
      configuration.labelMapping.targets(of: labels[0..<poisoned], classes: model.classes), labels[poisoned..<count],
    ])
    return Classified(
      logits: logits, features: features.penultimate.to(.float32), targets: targets,
      isTriggered: (Tensor.arange(count, device: labels.device) .< Double(poisoned)).to(.int64))
  }

  /// What the model makes smaller; the discriminator is a constant.
  func objective(_ seen: Classified, _ discriminator: FeatureDiscriminator, noise: Tensor, smoothing: Double)
    -> BatchLoss
  {
    let entropy = F.crossEntropy(seen.logits, seen.targets, labelSmoothing: smoothing)
    let told = discriminator.withFrozenParameters { discriminator.loss(seen.features + noise, seen.isTriggered) }
    return BatchLoss(
      entropy - told * configuration.lambda, parts: ["crossEntropy": entropy, "discriminator": told])
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let trigger = try patch(for: shape, seed: seed)
    return [
      BackdoorTask(
        name: "square \(configuration.pattern.rawValue)", trigger: trigger, mapping: configuration.labelMapping)
    ]
  }

  private func patch(for shape: ImageShape, seed: Seed) throws -> any Trigger {
    var patch = BadNets.Configuration()
    (patch.size, patch.pattern) = (configuration.size, configuration.pattern)
    (patch.place, patch.margin) = (configuration.place, configuration.margin)
    return try BadNets(patch).tasks(for: shape, seed: seed)[0].trigger
  }
}

/// Tells features of triggered images from clean ones.
final class FeatureDiscriminator: Module {
  let hidden: [Linear]
  let norms: [BatchNorm2d]
  let last: Linear

  init(inputs: Int, widths: [Int], _ generator: Generator) {
    let sizes = [inputs] + widths
    hidden = zip(sizes, widths).map { Linear($0, $1, generator) }
    norms = widths.map { BatchNorm2d($0) }
    last = Linear(sizes[widths.count], 2, generator)
  }

  /// - Parameters:
  ///   - features: float32 B x D; isTriggered: int64 B.
  func loss(_ features: Tensor, _ isTriggered: Tensor) -> Tensor {
    var x = features
    for (layer, norm) in zip(hidden, norms) { x = F.leakyReLU(norm(layer(x)), slope: 0.2) }
    return F.crossEntropy(last(x), isTriggered)
  }
}

/// What is trained in turns.
private final class ModelAndDiscriminator: Module {
  let model: Classifier
  let discriminator: FeatureDiscriminator
  init(_ model: Classifier, _ discriminator: FeatureDiscriminator) {
    (self.model, self.discriminator) = (model, discriminator)
  }
}
