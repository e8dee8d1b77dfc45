// Self-supervised learning: features from images without their labels, by one of three methods behind one interface.
//
// Each step shows two random views of the same images (ContrastiveAugmentation) to a network and asks for similar
// features. The methods differ in how they keep the features from becoming all the same: SimCLR contrasts with the
// other images of the batch, MoCo with a queue of earlier ones, BYOL with none, by a predictor and a slow target
// network.
//
// Learning rates are given for a batch of 512 images and grow with the batch (Goyal et al., 2017). The cosine's period
// is 1000 epochs although training stops after 100, as in the code of the decoupled-training paper; set `period` to
// `null` to let the rate fall to 0 within the epochs, which short runs on a CPU gain from.

public import Support
public import Torch
import TorchNN
public import Training
public import Vision

/// How to learn a classifier's features from images alone.
public struct SelfSupervisedTraining: Configurable, Hashable {
  public enum Method: String, Codable, Sendable, CaseIterable { case simclr, moco, byol }

  public var method = Method.simclr
  public var epochs = 100
  public var batch = 512
  public var images: Int? = nil
  public var learningRate: Double? = nil
  public var momentum = 0.9
  public var weightDecay = 5e-4
  public var period: Int? = 1000
  public var warmup = 0
  public var temperature: Double? = nil
  public var anchors = NTXent.Anchors.all
  public var queue = 4096
  public var targetMomentum = 0.99
  public var groups = 8
  public var hidden: Int? = nil
  public var projection: Int? = nil
  public var viewSize: Int? = nil
  public var smallestCrop = 0.2
  public var flip = true
  public var jitter = 1.0
  public var grayscale = 0.2
  public var blur = 0.5

  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "method", "How features are learned without labels.", choices: Method.allCases.map(\.rawValue),
      source: "DBD: simclr"),
    Setting("epochs", "Passes over the images.", unit: "epochs", range: 0...100_000, source: "DBD"),
    Setting("batch", "Images in one step, each seen in two views.", unit: "images", range: 2...65_536, source: "DBD"),
    Setting(
      "images", "Images of one epoch, drawn anew each time; empty means all.", unit: "images", range: 2...100_000_000),
    Setting(
      "learningRate", "SGD's rate for a batch of 512; it grows with the batch. Empty: simclr .4, moco .06, byol .24.",
      range: 0...100,
      source: "SimCLR, MoCo, BYOL"),
    Setting("momentum", "SGD's momentum.", range: 0...0.9999, source: "DBD"),
    Setting("weightDecay", "L2 penalty.", range: 0...1, source: "DBD; its code: 1e-4"),
    Setting(
      "period", "Epochs in which the cosine schedule falls to 0, from where it rises again; empty means `epochs`.",
      unit: "epochs",
      range: 1...1_000_000,
      source: "DBD's code"),
    Setting("warmup", "Epochs in which the rate rises linearly to its start.", unit: "epochs", range: 0...100_000),
    Setting(
      "temperature", "Divides similarities in the loss. Empty: simclr .5, moco .1.", range: 0.001...100, source: "DBD"),
    Setting(
      "anchors", "SimCLR: views that are compared with the rest, both of each image or the first.",
      choices: NTXent.Anchors.allCases.map(\.rawValue), source: "SimCLR: all; DBD's code: first"),
    Setting(
      "queue", "MoCo: features of earlier images to contrast with.", unit: "images", range: 1...10_000_000,
      source: "DBD"),
    Setting(
      "targetMomentum", "MoCo, BYOL: share of the target network that stays in a step.", range: 0...1, source: "DBD"),
    Setting(
      "groups", "MoCo: parts of a batch with batch statistics of their own, for shuffled BatchNorm.", range: 1...1024,
      source: "MoCo"),
    Setting(
      "hidden",
      "Width of the hidden layers of projector and predictor. Empty: the features' width, twice that for byol.",
      unit: "features",
      range: 1...65_536, source: "DBD at 512 features"),
    Setting(
      "projection", "Width of the projection. Empty: 128, byol 256.", unit: "features", range: 1...65_536, source: "DBD"
    ),
    Setting(
      "viewSize", "Side of the views; empty keeps the images' size. Three quarters of it costs half the time.",
      unit: "pixels",
      range: 8...1024),
    Setting(
      "smallestCrop", "Smallest area of a view's crop.", unit: "share of the image", range: 0.001...1, source: "DBD"),
    Setting("flip", "Mirror views at random."),
    Setting(
      "jitter", "Strength of the colour jitter: 1 is .4 for brightness, contrast and saturation, .1 for hue.",
      range: 0...2.5,
      source: "DBD"),
    Setting("grayscale", "Probability that a view loses its colour.", range: 0...1, source: "DBD"),
    Setting("blur", "Probability that a view is blurred, by .1 to 2 pixels.", range: 0...1, source: "DBD"),
  ]

  /// The random change that makes a view.
  public var views: ContrastiveAugmentation {
    var views = ContrastiveAugmentation()
    views.size = viewSize
    views.smallestCrop = smallestCrop
    views.flip = flip ? 0.5 : 0
    (views.brightness, views.contrast, views.saturation, views.hue) = (
      0.4 * jitter, 0.4 * jitter, 0.4 * jitter, min(0.1 * jitter, 0.5)
    )
    views.grayscale = grayscale
    views.blur = blur
    return views
  }

  /// The learning rate of a step.
  public func rate(epoch: Int, step: Int, stepsPerEpoch: Int) -> Double {
    let reference = learningRate ?? (method == .simclr ? 0.4 : method == .moco ? 0.06 : 0.24)
    let base = reference * Double(batch) / 512
    if epoch < warmup {
      return base * Double(epoch * stepsPerEpoch + step + 1) / Double(warmup * stepsPerEpoch)
    }
    return Schedule.cosine(period: period ?? max(epochs, 1)).rate(at: epoch, base: base)
  }

  /// The network that learns, around a classifier.
  /// - Parameters:
  ///   - features: numbers that the backbone gives for an image.
  ///   - generator: of the heads' weights and the queue.
  /// - Throws: `ModelFileError` where the method needs a copy of an architecture that has none.
  public func makeLearner(_ backbone: Classifier, features: Int, _ generator: Generator) throws
    -> any SelfSupervisedLearner
  {
    let width = projection ?? (method == .byol ? 256 : 128)
    let hidden = hidden ?? (method == .byol ? 2 * features : features)
    switch method {
    case .simclr:
      return SimCLR(
        Encoder(backbone, Projector(features, hidden: hidden, outputs: width, normalized: true, generator)),
        temperature: temperature ?? 0.5,
        anchors: anchors)
    case .moco:
      return try MoCo(
        Encoder(backbone, Projector(features, hidden: hidden, outputs: width, normalized: false, generator)),
        queue: queue, temperature: temperature ?? 0.1,
        momentum: targetMomentum, groups: groups, generator)
    case .byol:
      return try BYOL(
        Encoder(backbone, Projector(features, hidden: hidden, outputs: width, normalized: true, generator)),
        predictor: Projector(width, hidden: hidden, outputs: width, normalized: true, generator),
        momentum: targetMomentum)
    }
  }

  /// Learns the features of `backbone` in place and leaves it in evaluation mode; its last layer stays as it is.
  ///
  /// A stage like any other: with checkpoints it goes on where it was interrupted, to the same bits. What it gives follows
  /// from these settings, the images, the backbone as it comes, and the context's seed; `context.sharing` may take it
  /// from another run.
  /// - Parameter data: the images; its labels are not read.
  /// - Throws: `TrainingError`, `Interrupted`, and what the context throws.
  public func pretrain(
    _ backbone: Classifier, on data: ImageDataset, context: TrainingContext, stage: String = "pretrain"
  ) throws {
    guard data.count > 1 else { throw TrainingError.invalid("\(stage): \(data.count) images are too few to contrast.") }
    try check(viewsFor: backbone, of: data, stage)
    let data = data.to(context.device)
    backbone.to(context.device).to(.channelsLast)
    if let sharing = context.sharing {
      try sharing(stage, backbone) { try learn(backbone, data, context, stage) }
    } else {
      try learn(backbone, data, context, stage)
    }
    backbone.eval()
  }

  /// - Throws: `TrainingError` for views of a size that the backbone does not take.
  private func check(viewsFor backbone: Classifier, of data: ImageDataset, _ stage: String) throws(TrainingError) {
    guard let viewSize, viewSize != data.height, let spec = backbone.spec else { return }
    guard spec.shape.patch == nil else {
      throw .invalid(
        "\(stage): viewSize \(viewSize): the positions of \(spec.kind) are for images of \(data.height) pixels. Leave it out."
      )
    }
    do {
      let views = ImageShape(channels: data.channels, height: viewSize, width: viewSize)
      try ModelKind.named(spec.kind).check(images: views, stem: spec.shape.stem, layers: spec.shape.layers)
    } catch {
      throw .invalid("\(stage): viewSize \(viewSize) is too small for \(spec.kind). Raise it, or leave it out.")
    }
  }

  private func learn(_ backbone: Classifier, _ data: ImageDataset, _ context: TrainingContext, _ stage: String) throws {
    let width = backbone.featureCount(for: data)
    let learner = try makeLearner(backbone, features: width, Generator(seed: context.seed("\(stage)/head")))
    learner.to(context.device).to(.channelsLast).train()
    let optimizer = SGD(
      learner.trained, learningRate: rate(epoch: 0, step: 0, stepsPerEpoch: 1), momentum: momentum,
      weightDecay: weightDecay)
    let batches = Batches(count: min(images ?? data.count, data.count), size: batch, dropLast: true)
    let views = views
    let loop = EpochLoop(
      stage: stage, epochs: epochs, imagesPerEpoch: batches.images, context: context, isMeasured: false)
    try loop.run(model: learner, optimizer: optimizer) { epoch, meter in
      let order = context.generator("\(stage)/shuffle", epoch).permutation(data.count)
      let generator = context.generator("\(stage)/views", epoch)
      learner.train()
      for (step, range) in batches.ranges.enumerated() {
        optimizer.learningRate = rate(epoch: epoch, step: step, stepsPerEpoch: batches.ranges.count)
        let index = order[range]
        let pair = views.gather(images: data.images, indices: Tensor.concatenated([index, index]), generator)
        let (loss, similarity) = learner.loss(of: pair, context, generator)
        optimizer.step(minimizing: loss)
        learner.afterStep()
        try meter.step(images: range.count, ["loss": loss, "viewSimilarity": similarity])
      }
    }
  }
}
