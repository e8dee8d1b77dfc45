// The semi-supervised algorithm of the noisy-label paper (algorithm 2; PRL-SimCLR-SN, and with `limit.kind: none`
// PRL-SimCLR of table 2): features from SimCLR on the poisoned images without their labels and on clean images that
// have none; then the last layer by a noisy-label rule with its singular values cut off.
//
// The paper's setting: 20% of CIFAR-10 labelled and poisoned (`labeled: 0.2`), CIFAR-100 or the unlabeled part of
// STL-10 beside it, 500 epochs of SimCLR. Published (patch, eps .25, CIFAR-100 beside): clean / poison accuracy 80.9 /
// 80.8 with the limit, 81.5 / 26.9 without. Decided here: the share of images without labels still takes part in
// SimCLR; the cosine of SimCLR falls to 0 within its epochs.

public import Backdoor
public import SelfSupervision
public import Support
import Torch
import TorchNN
public import Training
import Vision

/// Self-supervised features, and a last layer that a noisy-label rule trains.
public struct SemiSupervisedDefense<Rule: NoisyLabelAlgorithm>: FeatureLearning {
  public static var id: String { "\(Rule.id)-simclr" }
  public static var summary: String {
    "\(Rule.title)-SimCLR-SN: \(Rule.idea), in the last layer alone, on self-supervised features."
  }
  public static var paper: String { "Defending Backdoor Attacks via Robustness against Noisy Label, algorithm 2" }
  public static var stage: DefenseStage { .training }
  public static var requires: Set<Resource> { [.poisonedTrain, .unlabeled] }

  public struct Configuration: Configurable {
    public var pretraining = Self.simclr
    public var labeled = 1.0
    public var rule = Rule()
    public var limit = SpectralLimit()
    public var recipe = Recipe.noisyLabelOneCycle
    public init() {}
    public static var settings: [Setting] {
      [
        Setting(
          "pretraining", "How the features are learned from all images without labels.",
          source: "paper: SimCLR, 500 epochs",
          nested: SelfSupervisedTraining.self),
        Setting(
          "labeled", "Share of the training set whose labels are used, drawn at random; at least one image.",
          unit: "fraction",
          range: 0...1, source: "paper: 0.2 of CIFAR-10"),
        .rule(Rule.self),
        Setting("limit", "What is done to the last layer's singular values.", nested: SpectralLimit.self),
        .noisyLabelRecipe,
      ]
    }
    private static var simclr: SelfSupervisedTraining {
      var settings = SelfSupervisedTraining()
      settings.epochs = 500
      settings.period = nil
      return settings
    }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public var features: SelfSupervisedTraining? { configuration.pretraining }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let c = configuration
    let all = Double(size.train + size.unlabeled)
    return [
      PlannedWork("pretrain", images: Double(c.pretraining.epochs) * all, cost: 2),
      PlannedWork("\(Self.id)-head", images: Double(c.recipe.epochs) * c.labeled * Double(size.train), cost: 0.25),
    ]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let c = configuration
    let (data, more, model) = (try input.poisonedTrain(), try input.unlabeled(), try input.makeModel())
    guard more.images.shape.dropFirst() == data.images.shape.dropFirst() else {
      throw DefenseError.invalid(
        "defense \(Self.id): the unlabeled images are \(more.channels)x\(more.height)x\(more.width), the training "
          + "images "
          + "\(data.channels)x\(data.height)x\(data.width). Load both at one size (dataset.size).")
    }
    let head = RobustLinearHead(rule: c.rule, limit: c.limit, recipe: c.recipe, stage: "\(Self.id)-head")
    try head.check()
    let images = Tensor.concatenated([data.images, more.images.to(data.device)])
    let labels = Tensor.full([images.dimension(0)], -1, dtype: .int64, device: data.device)
    let all = ImageDataset(name: data.name, images: images, labels: labels, classNames: data.classNames)
    try c.pretraining.pretrain(model, on: all, context: input.training)
    let count = max(1, Int((c.labeled * Double(data.count)).rounded()))
    let order = Generator(seed: input.seed("labeled")).permutation(data.count).array(Int64.self).map(Int.init)
    let labeled = c.labeled < 1 ? order.prefix(count).sorted() : nil
    let (logits, state) = try head.train(model, on: data, labeled: labeled, context: input.training)
    return c.rule.outcome(model, on: data, logits: logits, state)
  }
}
