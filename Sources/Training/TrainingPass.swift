public import Torch
public import TorchNN
public import Vision

/// One pass over a training set or a part of it: order, batches, augmentation, learning rate, optimizer step, report.
/// `Trainer` makes one an epoch; a method whose epochs are not the usual ones makes them itself.
public struct TrainingPass {
  /// On the context's device.
  public let data: ImageDataset
  public let recipe: Recipe
  public let context: TrainingContext
  /// Random crops and flips; nil takes the recipe's.
  public var augmentation: CropFlip?
  /// Training mode (statistics of the batch, dropout) or evaluation mode (running statistics, which stay as they are).
  public var trainingMode: Bool

  public init(
    data: ImageDataset, recipe: Recipe, context: TrainingContext, augmentation: CropFlip? = nil,
    trainingMode: Bool = true
  ) {
    self.data = data
    self.recipe = recipe
    self.context = context
    self.augmentation = augmentation
    self.trainingMode = trainingMode
  }

  /// The batches of so many images.
  /// - Throws: `TrainingError` where a batch of one image would train a network with BatchNorm.
  func batches(_ count: Int, for model: Module, stage: String) throws -> Batches {
    let batches = Batches(count: count, size: recipe.batch, dropLast: recipe.dropLast, joinsSingle: true)
    if trainingMode, batches.ranges.contains(where: { $0.count == 1 }),
      model.modules().contains(where: { ($0.module as? BatchNorm2d).map { $0.groups == nil } ?? false })
    {
      throw TrainingError.invalid(
        "\(stage): a network with BatchNorm needs at least 2 images in a batch, and "
          + (count == 1
            ? "there is 1 image in all. Give it more." : "the batch size of its recipe is 1. Choose a larger one."))
    }
    return batches
  }

  /// - Parameters:
  ///   - samples: positions in the data to learn from, int64; nil takes all.
  ///   - stream: begins the names of the pass's random streams, which also depend on `epoch`.
  ///   - rate: the learning rate of a step; nil takes the recipe's for the epoch.
  ///   - afterStep: called after each step of the optimizer, without recording: for weights that have to stay inside a
  ///     set.
  ///   - loss: what a batch should learn. Called outside autocast: forward passes belong inside `context.compute`.
  public func run(
    _ model: Module, _ optimizer: Optimizer, on samples: Tensor? = nil, stream: String, epoch: Int, meter: EpochMeter,
    rate: ((_ step: Int, _ steps: Int) -> Double)? = nil, afterStep: () -> Void = {}, loss: (Batch) throws -> BatchLoss
  ) throws {
    let ranges = try batches(samples?.count ?? data.count, for: model, stage: stream).ranges
    let streams = EpochStreams(stream, epoch: epoch, context: context)
    let shuffled = streams["shuffle"].permutation(samples?.count ?? data.count)
    let order = samples.map { $0[shuffled] } ?? shuffled
    // Whoever watched the epoch before may have switched the mode.
    model.train(trainingMode)
    for (step, range) in ranges.enumerated() {
      optimizer.learningRate =
        rate?(step, ranges.count) ?? recipe.rate(epoch: epoch, step: step, stepsPerEpoch: ranges.count)
      let batch = Batch(order[range], of: data, augmentation: augmentation ?? recipe.augmentation, streams: streams)
      let loss = try loss(batch)
      if let gradients = loss.gradients {
        optimizer.step(gradients: gradients, clipNorm: recipe.clipNorm)
      } else {
        optimizer.step(minimizing: loss.value, clipNorm: recipe.clipNorm)
      }
      noGrad(afterStep)
      try meter.step(batch, loss)
    }
  }
}

extension Recipe {
  /// The usual loss: cross entropy with the recipe's label smoothing.
  /// - Parameter images: in place of the batch's own.
  public func crossEntropy(_ model: Classifier, _ batch: Batch, images: Tensor? = nil, context: TrainingContext)
    -> BatchLoss
  {
    BatchLoss(
      context.compute { F.crossEntropy(model(images ?? batch.images), batch.labels, labelSmoothing: labelSmoothing) })
  }
}
