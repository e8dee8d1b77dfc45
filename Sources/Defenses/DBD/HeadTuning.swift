// Stage 2 of the decoupled training (DBD, section 4.4): the last layer alone learns from all labels, on features that
// know none. Poisoned samples lie among those of their true class there, so a single layer cannot fit their labels, and
// their loss stays large.

public import Support
public import Torch
import TorchNN
public import Training
public import Vision

/// How the last layer is trained on fixed features.
public struct HeadTuning: Configurable, Hashable {
  public enum Statistics: String, Codable, Sendable, CaseIterable { case frozen, moving }

  /// The images whose losses decide who is credible.
  public enum Scoring: String, Codable, Sendable, CaseIterable {
    /// As they are.
    case plain
    /// Cropped and mirrored at random, as in training.
    case augmented
  }

  public var epochs = 10
  public var warmup = 0
  public var batch = 128
  public var learningRate = 0.002
  public var crop = 4
  public var loss = RobustLoss.Kind.sce
  public var sceAlpha = 0.1
  public var sceBeta = 1.0
  public var gceQ = 0.7
  public var statistics = Statistics.frozen
  public var scoring = Scoring.plain

  public init() {}

  public static let settings: [Setting] = [
    Setting("epochs", "Passes over the training set.", unit: "epochs", range: 0...100_000, source: "DBD"),
    Setting(
      "warmup",
      "First epochs, which train by cross entropy: from nothing, a few steps of sce alone may end in the most "
        + "frequent class.",
      unit: "epochs", range: 0...100_000, source: "DBD: none"),
    Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "DBD"),
    Setting("learningRate", "Adam's learning rate.", range: 0...1, source: "DBD"),
    Setting(
      "crop", "Mirrored padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64,
      source: "DBD's code"),
    Setting(
      "loss", "Loss of this stage, which also decides whose labels are credible.",
      choices: RobustLoss.Kind.allCases.map(\.rawValue),
      source: "DBD: sce"),
    Setting("sceAlpha", "Weight of cross entropy in sce.", range: 0...1000, source: "DBD"),
    Setting("sceBeta", "Weight of reverse cross entropy in sce.", range: 0...1000, source: "DBD"),
    Setting("gceQ", "Exponent q of gce.", range: 0.001...1, source: "GCE"),
    Setting(
      "statistics", "The backbone's BatchNorm: running statistics frozen, or normalising by the batch and moving.",
      choices: Statistics.allCases.map(\.rawValue), source: "open in the paper; its code: moving"),
    Setting(
      "scoring",
      "Images whose losses decide whose labels are credible: as they are, or cropped and mirrored at random as in "
        + "training.",
      choices: Scoring.allCases.map(\.rawValue), source: "open in the paper; its code: augmented"),
  ]

  public var robustLoss: RobustLoss {
    var robust = RobustLoss(loss)
    (robust.alpha, robust.beta, robust.q) = (sceAlpha, sceBeta, gceQ)
    return robust
  }

  /// Trains the last layer in place and leaves the model in evaluation mode; the backbone's weights stay.
  public func tune(_ model: Classifier, on data: ImageDataset, flip: Bool, context: TrainingContext, stage: String)
    throws
  {
    let head = model.headParameters(features: model.featureCount(for: data)).map(\.tensor)
    let recipe = Recipe.constant(epochs: epochs, batch: batch, learningRate: learningRate)
    var trainer = Trainer(recipe, stage: stage)
    trainer.augmentation = augmentation(flip: flip)
    trainer.trainingMode = statistics == .moving
    let robust = robustLoss
    try trainer.train(model, on: data, context: context, optimizer: recipe.makeOptimizer(head)) { batch in
      let logits = context.compute {
        let features = noGrad { model.features(batch.images).penultimate }
        return model.logits(features).to(.float32)
      }
      return BatchLoss(
        batch.epoch < warmup ? F.crossEntropy(logits, batch.labels) : robust.mean(logits, batch.labels))
    }
  }

  /// The random crop and flip of this stage.
  private func augmentation(flip: Bool) -> CropFlip { CropFlip(padding: crop, mode: .reflect, flip: flip) }

  /// The samples with the smallest losses, in evaluation mode.
  /// - Parameters:
  ///   - flip: whether mirrored images belong to the same class.
  ///   - generator: of the crops and flips of `augmented` scoring.
  public func split(
    _ data: ImageDataset, by model: Classifier, share: Double, within: CredibleScope = .all, flip: Bool = true,
    context: TrainingContext, generator: @autoclosure () -> Generator
  ) -> CredibleSplit {
    let losses = noGrad {
      var transform: ((Tensor, Range<Int>) -> Tensor)?
      if scoring == .augmented {
        let (augmentation, generator) = (augmentation(flip: flip), generator())
        transform = { pixels, _ in augmentation(pixels, generator) }
      }
      return robustLoss(model.logits(of: data, context: context, transform: transform), data.labels)
    }
    return CredibleSplit(losses: losses, share: share, within: within == .class ? data.labels : nil)
  }
}
