import Support
public import Torch
import TorchNN
public import Vision

/// Supervised training of a classifier on a data set in memory.
public struct Trainer {
  public var recipe: Recipe
  /// Name of the stage in progress, metrics and checkpoints.
  public var stage: String

  public init(_ recipe: Recipe, stage: String = "train") {
    self.recipe = recipe
    self.stage = stage
  }

  /// Loss of one batch: pixels (B x C x H x W, [0, 1]), labels (B), to a scalar.
  public typealias BatchLoss = (_ model: Classifier, _ images: Tensor, _ labels: Tensor) throws -> Tensor
  /// Changes the augmented pixels of a batch before the model learns from them, in view of the model as it is. Random draws come from
  /// `generator`, a stream of the epoch's own.
  public typealias BatchChange = (_ model: Classifier, _ images: Tensor, _ labels: Tensor, _ generator: Generator) throws -> Tensor

  /// Trains the model in place and leaves it in evaluation mode.
  /// - Throws: `TrainingError`, `Interrupted`, and what the context throws.
  public func train(
    _ model: Classifier, on data: ImageDataset, context: TrainingContext, loss: BatchLoss? = nil, change: BatchChange? = nil
  ) throws {
    guard data.count > 0 else { throw TrainingError.invalid("\(stage): the training set is empty.") }
    let data = data.to(context.device)
    model.to(context.device).to(.channelsLast).train()
    let batches = Batches(count: data.count, size: recipe.batch, dropLast: recipe.dropLast)
    let optimizer = recipe.makeOptimizer(model.parameters())
    let smoothing = recipe.labelSmoothing
    let loop = EpochLoop(stage: stage, epochs: recipe.epochs, imagesPerEpoch: batches.images, context: context)
    try loop.run(model: model, optimizer: optimizer) { epoch, meter in
      let order = context.generator("\(stage)/shuffle", epoch).permutation(data.count)
      let generator = context.generator("\(stage)/augment", epoch)
      let changes = context.generator("\(stage)/change", epoch)
      model.train()
      for (step, range) in batches.ranges.enumerated() {
        optimizer.learningRate = recipe.rate(epoch: epoch, step: step, stepsPerEpoch: batches.ranges.count)
        let index = order[range]
        var images = recipe.augmentation.gather(images: data.images, indices: index, generator)
        let labels = data.labels[index]
        if let change { images = try change(model, images, labels, changes) }
        let value = try context.compute {
          try loss?(model, images, labels) ?? F.crossEntropy(model(images), labels, labelSmoothing: smoothing)
        }
        optimizer.zeroGrad()
        value.backward()
        if let limit = recipe.clipNorm { clipGradientNorm(optimizer.parameters, to: limit) }
        optimizer.step()
        try meter.step(images: range.count, ["loss": value])
      }
    }
    optimizer.zeroGrad()
    model.eval()
  }
}

/// Ranges of a shuffled order, batch by batch.
public struct Batches {
  /// Images in a batch that is only looked at: more are no faster on a CPU and hold more memory.
  public static let evaluationSize = 256

  public let ranges: [Range<Int>]
  /// Images in all batches together.
  public var images: Int { ranges.reduce(0) { $0 + $1.count } }

  /// - Parameter dropLast: leave a last batch out that is not full (kept if it is the only one).
  public init(count: Int, size: Int, dropLast: Bool = false) {
    let all = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    ranges = dropLast && all.count > 1 ? all.filter { $0.count == size } : all
  }
}
