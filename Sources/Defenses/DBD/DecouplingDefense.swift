// Decoupling-based backdoor defense, DBD (Huang, Li, Wu, Qin, Ren: Backdoor Defense via Decoupling the Training
// Process, ICLR 2022), section 4 and figure 2.
//
// Stage 1 learns the backbone from images without labels: no label can tie a trigger to a class. Stage 2 freezes it and
// trains the last layer on all labels with symmetric cross entropy. The half with the smallest losses is credible.
// Stage 3 trains the whole model by MixMatch, with the labels of the credible half alone, and chooses that half anew
// before each epoch.
//
// Where the paper is silent: the backbone's batch statistics are frozen in stage 2 (`tune.statistics`); the variant
// without self-supervision trains by the paper's own recipe and then gets a fresh last layer, as the other variants
// have; the tuning variant repeats stage 2 with the same settings on the credible half. The samples that are kept are
// those that the returned model finds credible: the split that a further epoch would use; in the tuning variant those
// that it was tuned on.
//
// The losses are of the images as they are; the authors' code takes them of randomly cropped and mirrored ones, with the
// data loader of the training (`tune.scoring=augmented`).
//
// ImageNet, where the paper's settings differ (appendix B): `finetune.epochs=80`, `finetune.unlabeledWeight=6`, and
// `supervised` as the recipe `decoupled-imagenet`.
//
// The settings are the paper's, for ResNet18 on a GPU. On a CPU: fewer epochs, `pretrain.period=null`,
// `pretrain.viewSize` at three quarters of the image, `finetune.schedule=cosine`, and two things that weak features ask
// for:
// - `tune.warmup`: the reverse part of symmetric cross entropy has almost no gradient where the given label is
//   improbable, so that a few hundred steps from nothing can end in predicting the most frequent label, which is the
//   target's. Seen on 3,000 and 4,000 generated images (width 8): 100% attack success after stage 2 with no warm-up.
// - `within=class`: the smallest losses of the whole set are those of the classes that the features separate best.
//   After 30 epochs of SimCLR on 12,000 images of Fashion-MNIST (width 8) the credible half held 2 of 1,157 shirts,
//   after 12 epochs on CIFAR-10 (width 16) 62 of 5,000 cats, and splitting anew makes it worse. Half of each label
//   instead let 13 of 600 poisoned samples in (whole set: 1), but on CIFAR-10, whose features were weaker, 610 of 2,500
//   (217).

public import Backdoor
import Files
public import SelfSupervision
public import Support
import Torch
import TorchNN
public import Training
import Vision

public struct DecouplingDefense: FeatureLearning {
  public static let id = "dbd"
  public static let summary =
    "Learns features without labels, then the classifier, then tunes both with the labels it finds credible."
  public static let paper = "Huang et al. 2022, Backdoor Defense via Decoupling the Training Process (ICLR)"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]

  /// The ablation of table 3.
  public enum Variant: String, Codable, Sendable, CaseIterable {
    case full
    /// The backbone learns from labels; the rest as it is.
    case noSSL = "no-ssl"
    /// Stages 1 and 2 with cross entropy.
    case ssCE = "ss-ce"
    /// Stages 1 and 2.
    case ssSCE = "ss-sce"
    /// Stages 1 and 2, then stage 2 again on the credible samples.
    case ssSCETuning = "ss-sce-tuning"
  }

  public static let presets = [
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/dbd: 100 epochs of MixMatch", ["finetune": ["epochs": 100]])
  ]

  public struct Configuration: DecoupledSettings {
    public var variant = Variant.full
    public var pretrain = SelfSupervisedTraining()
    public var tune = HeadTuning()
    public var finetune = MixMatch()
    public var resplit = true
    public var supervised = Recipe.decoupled
    public var credible = 0.5
    public var within = CredibleScope.all
    public var flip = true
    public var embeddings = 100_000
    public init() {}

    public static var settings: [Setting] {
      [
        Setting(
          "variant", "The whole defense, or a part of it as in the paper's ablation.",
          choices: Variant.allCases.map(\.rawValue),
          source: "paper, table 3"),
        Setting("finetune", "Stage 3: the whole model, semi-supervised.", nested: MixMatch.self),
        Setting(
          "resplit", "Choose the credible samples anew before each epoch of stage 3, or keep stage 2's choice.",
          source: "paper: anew"),
        Setting("supervised", "Training of the backbone in the variant no-ssl.", nested: Recipe.self),
      ] + shared
    }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public var features: SelfSupervisedTraining? { configuration.variant == .noSSL ? nil : configuration.features }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let (c, train) = (configuration, Double(size.train))
    let features =
      c.variant == .noSSL
      ? PlannedWork("dbd-supervised", images: Double(c.supervised.epochs) * train)
      : PlannedWork("pretrain", images: Double(c.pretrain.epochs) * train, cost: 2)
    let tuning = PlannedWork("dbd-tune", images: Double(c.tune.epochs) * train, cost: 0.25)
    // Each labeled image comes with two unlabeled ones.
    let mixed = 3 * Double(c.finetune.epochs * c.finetune.iterations * c.finetune.batch)
    return switch c.variant {
    case .full, .noSSL: [features, tuning, PlannedWork("dbd-mixmatch", images: mixed, cost: 1.4)]
    case .ssCE, .ssSCE, .ssSCETuning: [features, tuning]
    }
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    var (c, context) = (configuration, input.training)
    if c.variant == .ssCE { c.tune.loss = .ce }
    let data = try input.poisonedTrain().to(context.device)
    try c.check(data)
    try c.checkCrop("finetune.crop", c.finetune.crop, data)
    let model = try input.makeModel()

    // Stage 1
    if let features {
      try features.pretrain(model, on: data, context: context)
    } else {
      try superviseFeatures(model, data, input)
    }
    let title = features == nil ? "features after supervision" : "features after self-supervision"
    let embedding = c.embedding(title, model, data, context)

    // Stage 2
    try c.tune.tune(model, on: data, flip: c.flip, context: context, stage: "dbd-tune")
    let first = c.split(data, by: model, context, number: 0)
    var last = first

    // Stage 3
    switch c.variant {
    case .ssCE, .ssSCE: break
    case .ssSCETuning:
      let credible = ImageDataset(
        name: data.name, images: data.images[first.credible], labels: data.labels[first.credible],
        classNames: data.classNames)
      try c.tune.tune(model, on: credible, flip: c.flip, context: context, stage: "dbd-tune-credible")
    case .full, .noSSL:
      try c.finetune.train(model, on: data, flip: c.flip, context: context, stage: "dbd-mixmatch") { epoch in
        epoch == 0 || !c.resplit ? first : c.split(data, by: model, context, number: epoch)
      }
      last = c.split(data, by: model, context, number: c.finetune.epochs)
    }

    var outcome = c.outcome(last)
    outcome.model = model
    outcome.scores = [c.scores("loss after stage 2", first)]
    if c.variant == .full || c.variant == .noSSL { outcome.scores.append(c.scores("loss after stage 3", last)) }
    outcome.embeddings = embedding
    return outcome
  }

  /// Stage 1 of the variant without self-supervision: the usual training, then a fresh last layer.
  private func superviseFeatures(_ model: Classifier, _ data: ImageDataset, _ input: DefenseInput) throws {
    var recipe = configuration.supervised
    recipe.flip = recipe.flip && configuration.flip
    try Trainer(recipe, stage: "dbd-supervised").train(model, on: data, context: input.training)
    let fresh = try input.makeModel("head").stateDict()
    noGrad {
      for (key, parameter) in model.headParameters(features: model.featureCount(for: data)) {
        if let value = fresh[key] { parameter.copy_(value) }
      }
    }
  }
}
