import Support
public import Torch
public import TorchNN
public import Vision

/// Supervised training on a data set in memory. A method of its own says what a batch should learn; the order of the
/// images, augmentation, learning rate, optimizer step, reports, checkpoints and exact resume are done here:
///
/// ```swift
/// try Trainer(recipe, stage: "distill").train(student, on: clean, context: context) { batch in
///   let taught = noGrad { context.compute { teacher(batch.images) } }
///   let logits = context.compute { student(batch.images) }
///   return BatchLoss(F.crossEntropy(logits, batch.labels) + F.mseLoss(logits, taught))
/// }
/// ```
public struct Trainer {
  public var recipe: Recipe
  /// Name of the stage in progress, metrics and checkpoints; it begins the names of the random streams.
  public var stage: String
  /// Random crops and flips; nil takes the recipe's.
  public var augmentation: CropFlip?
  /// Training mode (statistics of the batch, dropout) or evaluation mode (running statistics, which stay as they are).
  public var trainingMode = true
  /// Whether measuring the model after each epoch says something; see `EpochReport.isMeasured`.
  public var isMeasured = true

  public init(_ recipe: Recipe, stage: String = "train") {
    self.recipe = recipe
    self.stage = stage
  }

  /// Trains a classifier in place by cross entropy and leaves it in evaluation mode.
  /// - Throws: `TrainingError`, `Interrupted`, and what the context throws.
  public func train(_ model: Classifier, on data: ImageDataset, context: TrainingContext) throws {
    try train(model, on: data, context: context) { recipe.crossEntropy(model, $0, context: context) }
  }

  /// Trains a model in place and leaves it in evaluation mode.
  /// - Parameters:
  ///   - model: a classifier, or another module whose parameters the loss depends on, such as a trigger.
  ///   - samples: positions in the data to learn from, int64; nil takes all.
  ///   - optimizer: nil takes the recipe's, for all parameters of the model.
  ///   - states: what the method remembers between steps, by name; part of the checkpoint.
  ///   - rate: the learning rate of an epoch, from 0; nil takes the recipe's schedule.
  ///   - afterStep: called after each step of the optimizer, without recording: for weights that have to stay inside a
  ///     set.
  ///   - loss: what a batch should learn. Called outside autocast: forward passes belong inside `context.compute`.
  /// - Throws: `TrainingError`, `Interrupted`, and what the context or `loss` throws.
  public func train(
    _ model: Module, on data: ImageDataset, samples: Tensor? = nil, context: TrainingContext,
    optimizer: Optimizer? = nil, states: [String: TrainingState] = [:],
    rate: ((_ epoch: Int) -> Double)? = nil, afterStep: () -> Void = {}, loss: (Batch) throws -> BatchLoss
  ) throws {
    let count = samples?.count ?? data.count
    guard count > 0 else { throw TrainingError.invalid("\(stage): the training set is empty.") }
    model.to(context.device).to(.channelsLast).train(trainingMode)
    let pass = TrainingPass(
      data: data.to(context.device), recipe: recipe, context: context, augmentation: augmentation,
      trainingMode: trainingMode)
    let optimizer = optimizer ?? recipe.makeOptimizer(model.parameters())
    let loop = EpochLoop(
      stage: stage, epochs: recipe.epochs, imagesPerEpoch: try pass.batches(count, for: model, stage: stage).images,
      context: context,
      isMeasured: isMeasured)
    try loop.run(model: model, optimizer: optimizer, states: states) { epoch, meter in
      try pass.run(
        model, optimizer, on: samples, stream: stage, epoch: epoch, meter: meter,
        rate: rate.map { rate in { _, _ in rate(epoch) } }, afterStep: afterStep, loss: loss)
    }
    model.eval()
  }
}
