// The adaptive attack against decoupled training (Huang et al. 2022, section 5.4, equation 4). Decoupled training works
// because self-supervised features put poisoned images among those of their true class. This attacker, who knows the
// defender's network, looks for a trigger that does not: it learns a backbone from the clean images without labels, as
// the defender will, and optimises a pattern over the whole image so that poisoned images lie together and far from the
// centres of all classes.
//
//   min_t  mean_x d(g(x + t), c) - mean_k d(c, c_k),   c the centre of the poisoned images, c_k that of class k, d the
//   Euclidean distance
//
// Where the paper is silent: the pattern is added and the sum clipped to [0, 1] ("the attacker can completely modify
// the content"); the centre of the poisoned images is their batch's; c_k are computed once; the backbone stays in
// evaluation mode. The paper's defender resists (attack success 1.02%; 99.70% without defense), because the backbone
// that it learns itself is another one.

public import Backdoor
public import SelfSupervision
public import Support
public import Torch
import TorchNN
import Training
public import Vision

public struct ClusteredTrigger: Attack {
  public static let id = "clustered-trigger"
  public static let summary =
    "A pattern optimised to gather poisoned images in self-supervised features: the adaptive attack against dbd."
  public static let paper =
    "Huang et al. 2022, Backdoor Defense via Decoupling the Training Process (ICLR), section 5.4"
  public static let learns = true

  public struct Configuration: PoisoningSettings {
    public var rate = 0.05
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = true
    public var pretrain = SelfSupervisedTraining()
    public var epochs = 100
    public var batch = 128
    public var learningRate = 0.1
    public var bound = 1.0
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings + [
        Setting(
          "pretrain", "How the attacker's backbone learns; the defender's way is the strongest.",
          nested: SelfSupervisedTraining.self),
        Setting("epochs", "Passes over the images to be poisoned.", unit: "epochs", range: 0...100_000, source: "DBD"),
        Setting("batch", "Images in one step; their centre stands for that of all.", unit: "images", range: 2...65_536),
        Setting("learningRate", "Adam's learning rate.", unit: "pixels in [0,1]", range: 0...1, source: "DBD"),
        Setting(
          "bound", "Largest change of a pixel; 1 is no limit.", unit: "pixels in [0,1]", range: 0...1,
          source: "DBD: no limit"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  private static let key = "trigger"

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    let (c, training) = (configuration, context.training)
    let data = context.train.to(training.device)
    let sources = try PoisonedDataset.sources(
      in: data, mapping: c.labelMapping, selection: selection, seed: context.seed)
    guard sources.count > 1 else {
      throw BackdoorError.invalid("attack.rate \(c.rate): \(sources.count) poisoned images have no centre. Raise it.")
    }
    let backbone = try context.makeModel("clustered-trigger/backbone")
    try c.pretrain.pretrain(backbone, on: data, context: training, stage: "attack-pretrain")
    let centers = Self.centers(of: data, by: backbone, training)

    let change = PixelChange(Tensor.zeros([1, data.channels, data.height, data.width], device: training.device))
    var recipe = Recipe.constant(epochs: c.epochs, batch: c.batch, learningRate: c.learningRate)
    recipe.dropLast = true
    var trainer = Trainer(recipe, stage: "attack-trigger")
    trainer.isMeasured = false
    try backbone.withFrozenParameters {
      try trainer.train(
        change, on: data.subset(sources), context: training,
        afterStep: { change.value.clamp_(-c.bound, c.bound) },
        loss: { batch in
          let images = (batch.images + change.value).clamped(0, 1).contiguous(.channelsLast)
          let features = training.compute { backbone.features(images).penultimate.to(.float32) }
          return BatchLoss(Self.objective(features, centers: centers))
        })
    }
    return [Self.key: change.value.detach().squeezed(0)]
  }

  /// Equation 4 for a batch.
  /// - Parameters:
  ///   - features: of poisoned images, float32 B x D.
  ///   - centers: of the classes' clean images, K x D.
  /// - Returns: a scalar with gradient.
  public static func objective(_ features: Tensor, centers: Tensor) -> Tensor {
    // The root of 0 has no gradient.
    func distance(_ a: Tensor, _ b: Tensor) -> Tensor { ((a - b).pow(2).sum([1]) + 1e-12).sqrt() }
    let center = features.mean([0], keep: true)
    return distance(features, center).mean() - distance(center, centers).mean()
  }

  /// Mean features of each class that has images, K x D.
  static func centers(of data: ImageDataset, by model: Classifier, _ context: TrainingContext) -> Tensor {
    let features = model.penultimateFeatures(of: data, context: context)
    let labels = data.labelArray()
    return noGrad {
      Tensor.concatenated(
        Set(labels).sorted().map { label in
          let mine = labels.indices.filter { labels[$0] == label }.map(Int64.init)
          return features[Tensor(mine).to(data.device)].mean([0], keep: true)
        })
    }
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    guard let pattern = learned[Self.key] else { throw BackdoorError.notLearned(attack: Self.id, key: Self.key) }
    guard pattern.dtype == .float32, pattern.shape == [shape.channels, shape.height, shape.width] else {
      throw BackdoorError.invalid("\(Self.id): the trigger \(pattern.summary) does not fit images \(shape).")
    }
    let trigger = AddedPattern(pattern: pattern.to(.cpu).array(Float.self), shape: shape)
    return [BackdoorTask(name: "optimised pattern", trigger: trigger, mapping: configuration.labelMapping)]
  }
}
