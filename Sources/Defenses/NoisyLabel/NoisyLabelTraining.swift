// The meta-algorithm of "Defending Backdoor Attacks via Robustness against Noisy Label" (algorithm 1), and the noisy-label algorithms
// that it starts from:
//
//   for each minibatch M_x, M_y:
//     c <- one step of  max_{|c| <= tau} L(f(M_x + c), M_y)  by the noisy-label rule      (FastGradientSign)
//     f <- one step of  min_f L(f(M_x + c), M_y)             by the noisy-label rule
//
// Without the first line it is the plain algorithm. The rule judges anew on the perturbed images; each step evaluates the network once on
// each of the two batches. Everything is a setting: the ablations replace one of the two rules by "every sample".

public import Backdoor
public import Torch
public import TorchNN
public import Training
public import Vision

/// Training by a noisy-label rule, plain or with the inner maximisation.
public struct NoisyLabelTraining: Sendable {
  /// The rule of the outer minimisation.
  public var rule: any NoisyLabelRule
  /// The inner maximisation; nil is the plain algorithm.
  public var adversary: FastGradientSign?
  /// The rule of the inner maximisation.
  public var innerRule: any NoisyLabelRule
  public var recipe: Recipe
  /// Name of the stage in progress, metrics and checkpoints.
  public var stage: String

  /// - Parameter innerRule: nil takes `rule` in both problems.
  public init(
    rule: any NoisyLabelRule, adversary: FastGradientSign? = nil, innerRule: (any NoisyLabelRule)? = nil,
    recipe: Recipe = .noisyLabel, stage: String = "noisy-label"
  ) {
    self.rule = rule
    self.adversary = adversary
    self.innerRule = innerRule ?? rule
    self.recipe = recipe
    self.stage = stage
  }

  /// A new model of the input's architecture, trained, and what a rule finds out about the training samples with it.
  /// - Parameter judge: the rule of the verdict, for ablations that train without one; nil takes `rule`.
  public func run(_ input: DefenseInput, judge: (any NoisyLabelRule)? = nil) throws -> DefenseOutcome {
    let (data, model) = (try input.poisonedTrain(), try input.makeModel())
    try train(model, on: data, context: input.training)
    return (judge ?? rule).outcome(model, on: data, logits: model.logits(of: data, context: input.training))
  }

  /// Trains the model in place and leaves it in evaluation mode.
  /// - Throws: `DefenseError`, `TrainingError`, `Interrupted`, and what the context throws.
  public func train(_ model: Classifier, on data: ImageDataset, context: TrainingContext) throws {
    guard data.count > 0 else { throw DefenseError.invalid("\(stage): the training set is empty.") }
    let data = data.to(context.device)
    model.to(context.device).to(.channelsLast).train()
    let batches = Batches(count: data.count, size: recipe.batch, dropLast: recipe.dropLast)
    let optimizer = recipe.makeOptimizer(model.parameters())
    let loop = EpochLoop(stage: stage, epochs: recipe.epochs, imagesPerEpoch: batches.images, context: context)
    try loop.run(model: model, optimizer: optimizer) { epoch, meter in
      let order = context.generator("\(stage)/shuffle", epoch).permutation(data.count)
      let generator = context.generator("\(stage)/augment", epoch)
      model.train()
      for (step, range) in batches.ranges.enumerated() {
        optimizer.learningRate = recipe.rate(epoch: epoch, step: step, stepsPerEpoch: batches.ranges.count)
        let index = order[range]
        let images = recipe.augmentation.gather(images: data.images, indices: index, generator)
        let result = update(model, images, data.labels[index], epoch: epoch, optimizer, context)
        if let rows = result.rows { meter.select(index[rows]) }
        try meter.step(images: range.count, ["loss": result.loss])
      }
    }
    optimizer.zeroGrad()
    model.eval()
  }

  /// Algorithm 1 for one minibatch: the loss of the outer problem, and the rows that it learned from (nil: all).
  /// - Parameters: images: pixels, B x C x H x W; labels: int64 B; epoch: from 0.
  @discardableResult
  public func update(
    _ model: Classifier, _ images: Tensor, _ labels: Tensor, epoch: Int, _ optimizer: Optimizer, _ context: TrainingContext
  ) -> (loss: Tensor, rows: Tensor?) {
    let perturbed = adversary?.perturb(images, labels, model, rule: innerRule, epoch: epoch, context: context) ?? images
    let loss = context.compute { RuleLoss(model(perturbed), labels, rule, epoch: epoch, labelSmoothing: recipe.labelSmoothing) }
    optimizer.zeroGrad()
    loss.value.backward()
    if let limit = recipe.clipNorm { clipGradientNorm(optimizer.parameters, to: limit) }
    optimizer.step()
    return (loss.value.detach(), loss.rows)
  }
}
