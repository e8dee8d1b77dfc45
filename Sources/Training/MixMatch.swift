// MixMatch (Berthelot et al., MixMatch: A Holistic Approach to Semi-Supervised Learning, 2019), algorithm 1, with the
// values of the decoupled-training paper (DBD).
//
// Per step: guess the labels of unlabeled images as the mean prediction over K views, sharpen them, mix all images and
// targets pairwise (MixUp), and train with cross entropy on the labeled part and squared error on the unlabeled part.
// As the authors of DBD do: one mixing ratio for the batch, one permutation over [x; u1; ...; uK], batches interleaved
// so that each sees labeled and unlabeled images alike in its batch statistics, guesses made in training mode, a weight
// of the unlabeled loss that rises linearly over the whole training, no moving average of the weights, the last model
// is kept.

import Foundation
public import Support
public import Torch
import TorchNN
public import Vision

/// Semi-supervised training of a classifier.
public struct MixMatch: Configurable, Hashable {
  public enum ScheduleShape: String, Codable, Sendable, CaseIterable { case constant, cosine }
  public enum Statistics: String, Codable, Sendable, CaseIterable { case batch, running }

  public var epochs = 190
  public var iterations = 1024
  public var batch = 64
  public var learningRate = 0.002
  public var schedule = ScheduleShape.constant
  public var views = 2
  public var temperature = 0.5
  public var mixing = 0.75
  public var unlabeledWeight = 15.0
  public var ramp: Double? = nil
  public var guess = Statistics.batch
  public var crop = 4

  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "epochs", "Epochs; samples may be chosen anew before each.", unit: "epochs", range: 0...100_000,
      source: "DBD; ImageNet 80"),
    Setting("iterations", "Steps of an epoch.", unit: "steps", range: 1...10_000_000, source: "MixMatch"),
    Setting("batch", "Labeled images in a step, and unlabeled ones.", unit: "images", range: 2...65_536, source: "DBD"),
    Setting("learningRate", "Adam's learning rate.", range: 0...1, source: "DBD"),
    Setting(
      "schedule", "Learning rate over time; short runs gain from cosine.",
      choices: ScheduleShape.allCases.map(\.rawValue),
      source: "DBD: constant"),
    Setting("views", "K, augmented views that a guess is the mean of.", range: 1...16, source: "MixMatch"),
    Setting(
      "temperature", "T, sharpens guesses: 1 leaves them, 0 would make them one-hot.", range: 0.01...1, source: "DBD"),
    Setting("mixing", "alpha of the Beta distribution of mixing ratios.", range: 0.01...100, source: "MixMatch"),
    Setting(
      "unlabeledWeight", "Weight of the unlabeled loss at the end of its ramp.", range: 0...10_000,
      source: "DBD; ImageNet 6"),
    Setting(
      "ramp", "Epochs in which the unlabeled weight rises from 0; empty means all.", unit: "epochs", range: 0...100_000,
      source: "DBD's code"),
    Setting(
      "guess",
      "BatchNorm while guessing: the batch's statistics, which also move the running ones, or the running ones.",
      choices: Statistics.allCases.map(\.rawValue), source: "DBD's code: batch"),
    Setting(
      "crop", "Mirrored padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64,
      source: "DBD's code"),
  ]

  /// Labeled images of one epoch.
  private static let mostImages = 100_000_000

  /// Trains the model in place and leaves it in evaluation mode.
  /// - Parameters:
  ///   - flip: whether mirrored images belong to the same class.
  ///   - split: called before each epoch with the model as it is: which labels count in it. Must depend on nothing
  ///     else, so that a resumed run finds the same.
  /// - Throws: `TrainingError` for a split with an empty side, `Interrupted`, and what the context or `split` throws.
  public func train(
    _ model: Classifier, on data: ImageDataset, flip: Bool = true, context: TrainingContext, stage: String = "mixmatch",
    split: (_ epoch: Int) throws -> CredibleSplit
  ) throws {
    // The order of an epoch is drawn at once.
    guard iterations <= Self.mostImages / batch else {
      throw TrainingError.invalid(
        "\(stage): iterations \(iterations) of batch \(batch) are more than \(Self.mostImages) images an epoch. Make one "
          + "of them smaller.")
    }
    let data = data.to(context.device)
    model.to(context.device).to(.channelsLast).requiresGrad(true).train()
    let optimizer = Adam(model.parameters(), learningRate: learningRate)
    let augmentation = CropFlip(padding: crop, mode: .reflect, flip: flip)
    let loop = EpochLoop(
      stage: stage, epochs: epochs, imagesPerEpoch: iterations * batch * (1 + views), context: context)
    try loop.run(model: model, optimizer: optimizer) { epoch, meter in
      let split = try split(epoch)
      guard split.credible.count > 0, split.other.count > 0 else {
        throw TrainingError.invalid(
          "\(stage): \(split.credible.count) samples with labels and \(split.other.count) without; it takes some of "
            + "both."
        )
      }
      let means = split.means()
      meter.select(split.credible)
      let shuffle = context.generator("\(stage)/shuffle", epoch)
      let labeled = Self.order(split.credible, count: iterations * batch, shuffle)
      let unlabeled = Self.order(split.other, count: iterations * batch, shuffle)
      let generator = context.generator("\(stage)/augment", epoch)
      var ratios = context.seed.generator("\(stage)/mix", epoch)
      model.train()
      optimizer.learningRate = rate(epoch: epoch)
      for iteration in 0..<iterations {
        let range = (iteration * batch)..<((iteration + 1) * batch)
        let images = augmentation.gather(images: data.images, indices: labeled[range], generator)
        let others = (0..<views).map { _ in
          augmentation.gather(images: data.images, indices: unlabeled[range], generator)
        }
        let ratio = ratios.beta(mixing)
        let losses = step(
          model, images: images, labels: data.labels[labeled[range]], unlabeled: others, ratio: max(ratio, 1 - ratio),
          order: generator.permutation(batch * (1 + views)), context)
        let weight = weight(progress: Double(epoch) + Double(iteration) / Double(iterations))
        let loss = losses.labeled + losses.unlabeled * weight
        optimizer.step(minimizing: loss)
        try meter.step(
          images: batch * (1 + views),
          [
            "loss": loss, "labeledLoss": losses.labeled, "unlabeledLoss": losses.unlabeled,
            "credibleLoss": means.credible,
            "otherLoss": means.other,
          ])
      }
    }
    model.eval()
  }

  /// Algorithm 1 and equations 2 to 4 for one batch.
  /// - Parameters:
  ///   - images: B x C x H x W, augmented; labels: int64 B.
  ///   - unlabeled: K views of the unlabeled images, each of the same shape as `images`.
  ///   - ratio: share of an image itself in the mixture, 1/2 to 1.
  ///   - order: the partners, a permutation of (1 + K) B.
  /// - Returns: both losses, scalars with gradients.
  public func step(
    _ model: Classifier, images: Tensor, labels: Tensor, unlabeled others: [Tensor], ratio: Double, order: Tensor,
    _ context: TrainingContext
  ) -> (labeled: Tensor, unlabeled: Tensor) {
    let count = images.dimension(0)
    let (inputs, targets) = noGrad { () -> (Tensor, Tensor) in
      let guesses = guess(model, others, context)
      let given = labels.oneHot(model.classes).to(.float32)
      return Self.mix(
        inputs: Tensor.concatenated([images] + others),
        targets: Tensor.concatenated([given] + others.map { _ in guesses }),
        ratio: ratio, order: order)
    }
    // Each of the 1 + K batches holds its share of every group; the same exchange puts the logits back in order.
    let exchange = Self.interleaving(batch: count, groups: 1 + others.count).to(images.device)
    let mixed = inputs[exchange].contiguous(.channelsLast)
    let logits = Tensor.concatenated(
      (0...others.count).map { part in context.compute { model(mixed[(part * count)..<((part + 1) * count)]) } })[
        exchange]
    let end = logits.dimension(0)
    return (
      F.crossEntropy(logits[0..<count], targets[0..<count]),
      F.mseLoss(F.softmax(logits[count..<end], 1), targets[count..<end])
    )
  }

  /// Sharpened mean prediction over the views, B x K, without gradients.
  public func guess(_ model: Classifier, _ views: [Tensor], _ context: TrainingContext) -> Tensor {
    noGrad {
      model.withMode(training: guess == .batch) {
        let predictions = views.map { view in F.softmax(context.compute { model(view) }, 1) }
        return Self.sharpened(
          predictions.dropFirst().reduce(predictions[0], +) / Double(views.count), temperature: temperature)
      }
    }
  }

  /// p^(1/T), rows summing to 1 again (equation 7).
  public static func sharpened(_ p: Tensor, temperature: Double) -> Tensor {
    let power = p.pow(1 / temperature)
    return power / power.sum([1], keep: true)
  }

  /// MixUp of all rows with partners.
  public static func mix(inputs: Tensor, targets: Tensor, ratio: Double, order: Tensor) -> (
    inputs: Tensor, targets: Tensor
  ) {
    (inputs * ratio + inputs[order] * (1 - ratio), targets * ratio + targets[order] * (1 - ratio))
  }

  /// Positions after an exchange of parts between `groups` groups of `batch` rows each: every group is cut into as many
  /// parts, and group i exchanges part i with group 0. It is its own inverse.
  public static func interleaving(batch: Int, groups: Int) -> Tensor {
    var positions = Array(0..<(batch * groups))
    // Parts differ by one row at most; the later ones are the longer.
    let starts = (0...groups).map { part in part * (batch / groups) + max(0, part - (groups - batch % groups)) }
    for group in 1..<max(groups, 1) {
      for row in starts[group]..<starts[group + 1] { positions.swapAt(row, group * batch + row) }
    }
    return Tensor(positions.map(Int64.init))
  }

  /// The weight of the unlabeled loss after so many epochs.
  public func weight(progress: Double) -> Double {
    let length = ramp ?? Double(epochs)
    return unlabeledWeight * (length > 0 ? min(max(progress / length, 0), 1) : 1)
  }

  func rate(epoch: Int) -> Double {
    schedule == .constant ? learningRate : Schedule.cosine(period: max(epochs, 1)).rate(at: epoch, base: learningRate)
  }

  /// `count` positions: the given ones in random order, again and again.
  static func order(_ positions: Tensor, count: Int, _ generator: Generator) -> Tensor {
    let rounds = (count + positions.count - 1) / positions.count
    let parts = (0..<rounds).map { _ in positions[generator.permutation(positions.count)] }
    return Tensor.concatenated(parts)[0..<count]
  }
}

extension RandomNumberGenerator {
  /// A number from the symmetric Beta distribution, as a ratio of Gamma numbers.
  mutating func beta(_ a: Double) -> Double {
    let (x, y) = (gamma(a), gamma(a))
    return x + y > 0 ? x / (x + y) : 0.5
  }

  /// A number from the Gamma distribution of shape `a` and scale 1 (Marsaglia and Tsang, 2000).
  mutating func gamma(_ a: Double) -> Double {
    if a < 1 {
      let shorter = gamma(a + 1)
      return shorter * Foundation.pow(1 - uniform(), 1 / a)
    }
    let d = a - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = 1 + c * x
      guard v > 0 else { continue }
      let cube = v * v * v
      if Foundation.log(1 - uniform()) < 0.5 * x * x + d - d * cube + d * Foundation.log(cube) { return d * cube }
    }
  }
}
