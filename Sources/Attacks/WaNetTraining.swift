// WaNet (Nguyen, Tran 2021, arXiv:2102.10369) as its authors have it: the attacker trains the model. The warp is that of
// `WaNet`, one fixed field; what is warped is drawn anew in each batch:
//
//   the first rho_a B images:           warped by P, label eta(y)
//   the next rho_n B images:            warped by P with U(-1, 1) / H at every pixel, label y   (the noise mode)
//   then all: random crop, rotation, flip; one step on the cross entropy of the whole batch
//
// rho_a = .1, rho_n = 2 rho_a (the authors' cross_ratio). Images are changed before the random crop, so that the model
// sees the warp at all places. Numbers of images are rounded down, as in the authors' code.
//
// Decided here: crop and flip are those of the recipe, with a draw for each image (the authors: crop with a padding of 5
// in four of five batches); each image is rotated with probability 1/2 (the authors: each batch). The authors' own
// training is SGD .01, /10 at epochs 100, 200, 300 and 400, of 1,000; the recipe is the experiment's.

public import Backdoor
public import Support
public import Torch
import Training
public import Vision

public struct WaNetTraining: TrainingAttack {
  public static let id = "wanet-training"
  public static let summary = "WaNet by who trains the model: warps anew in each batch, with the noise mode."
  public static let paper = "Nguyen and Tran 2021, WaNet (arXiv:2102.10369)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.1
    public var mapping = MappingKind.allToOne
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var crossRatio = 2.0
    public var grid = 4
    public var strength = 0.5
    public var noise = 1.0
    public var rotation = 10.0
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("Nguyen and Tran: .1 of each batch (rho_a); also of the poisoned set") + [
        Setting(
          "crossRatio", "Images warped with noise for each poisoned one (rho_n / rho_a); 0 turns the noise mode off.",
          range: 0...1000, source: "authors' code: 2"),
        Setting(
          "grid", "Side of the field that the warp is enlarged from (k).", unit: "points", range: 2...1024,
          source: "Nguyen and Tran: 4"),
        Setting(
          "strength", "Mean length of the warp per coordinate (s).", unit: "half pixels", range: 0...1000,
          source: "Nguyen and Tran: .5"),
        Setting(
          "noise", "Largest extra shift of a pixel in cover samples; 0 turns the noise mode off.", unit: "half pixels",
          range: 0...1000,
          source: "Nguyen and Tran: 1"),
        Setting(
          "rotation", "Largest random rotation after the warp; 0 switches it off.", unit: "degrees", range: 0...180,
          source: "authors' code: 10"),
      ]

    /// Covers without noise would be the trigger itself, with right labels.
    var covers: Double { noise > 0 ? crossRatio : 0 }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection {
    let c = configuration
    return c.poisonSelection(covers: min(c.rate * c.covers, 1 - c.rate), setting: "attack.crossRatio")
  }

  public func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor] {
    let (c, recipe, training) = (configuration, context.recipe, context.training)
    try context.checkBatch("attack.rate", c.rate)
    let batch = min(recipe.batch, context.train.count)
    if c.covers > 0, shares(of: batch).covers.isEmpty {
      throw BackdoorError.invalid(
        "attack.crossRatio \(c.crossRatio) leaves no image with noise in a batch of \(batch), of which attack.rate \(c.rate) "
          + "are poisoned. Change one of them, take larger batches (recipe.batch), or set attack.crossRatio=0.")
    }
    let warp = warp(for: context.train.shape, seed: context.seed)
    let data = context.train.to(training.device)
    try Trainer(recipe, stage: "attack-train").train(model, on: data, context: training) { batch in
      let pixels = data.images[batch.indices].unitPixels()
      let shares = shares(of: batch.indices.count)
      let shifts = warp.shifts(shares.covers.count, batch.generator("noise"))
      let (stamped, labels) = stamped(pixels, batch.labels, classes: data.classes, warp, shares, shifts: shifts)
      let images = augmented(stamped, recipe.augmentation, batch)
      return BatchLoss(
        training.compute { F.crossEntropy(model(images), labels, labelSmoothing: recipe.labelSmoothing) })
    }
    return [:]
  }

  func shares(of count: Int) -> BatchShares {
    BatchShares(of: count, poisoned: configuration.rate) { BatchShares.whole(configuration.covers, of: $0) }
  }

  /// What the model sees of a batch, before crops and flips.
  /// - Parameters:
  ///   - pixels: B x C x H x W in [0, 1]; labels: int64 B.
  ///   - shifts: of the covers, N x H x W x 2 in (-1, 1).
  func stamped(
    _ pixels: Tensor, _ labels: Tensor, classes: Int, _ warp: Warp, _ shares: BatchShares, shifts: Tensor
  ) -> (images: Tensor, labels: Tensor) {
    var (images, targets) = ([pixels[shares.clean]], [labels[shares.poisoned.upperBound..<labels.count]])
    if !shares.covers.isEmpty {
      images.insert(warp.withNoise(configuration.noise).moved(pixels[shares.covers], by: shifts), at: 0)
    }
    if !shares.poisoned.isEmpty {
      images.insert(warp.moved(pixels[shares.poisoned], by: nil), at: 0)
      targets.insert(configuration.labelMapping.targets(of: labels[shares.poisoned], classes: classes), at: 0)
    }
    return (Tensor.concatenated(images), Tensor.concatenated(targets))
  }

  /// Crop and flip, and half of the images rotated.
  private func augmented(_ images: Tensor, _ cropFlip: CropFlip, _ batch: Batch) -> Tensor {
    let random = batch.generator("transform")
    let moved = cropFlip(images, random)
    guard configuration.rotation > 0 else { return moved }
    let degrees = random.uniform([images.dimension(0)], -configuration.rotation, configuration.rotation)
    let half = random.uniform([images.dimension(0)]) .< 0.5
    return ImageOps.rotated(moved, degrees: (degrees * half.to(.float32)).to(images.device)).clamped(0, 1)
  }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let warp = warp(for: shape, seed: seed)
    return [
      BackdoorTask(
        name: "warp", trigger: warp, mapping: configuration.labelMapping,
        cover: configuration.covers > 0 ? warp.withNoise(configuration.noise) : nil)
    ]
  }

  private func warp(for shape: ImageShape, seed: Seed) -> Warp {
    WaNet.warp(
      grid: configuration.grid, strength: configuration.strength, shape: shape, Generator(seed: seed("wanet/field", 0)))
  }
}
