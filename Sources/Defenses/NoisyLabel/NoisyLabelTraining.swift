// The meta-algorithm of "Defending Backdoor Attacks via Robustness against Noisy Label" (algorithm 1), and the
// noisy-label algorithms that it starts from:
//
//   for each minibatch M_x, M_y:
//     c <- one step of  max_{|c| <= tau} L(f(M_x + c), M_y)  by the noisy-label rule      (FastGradientSign) f <- one
//     step of  min_f L(f(M_x + c), M_y)             by the noisy-label rule
//
// Without the first line it is the plain algorithm. The rule judges anew on the perturbed images; each step evaluates
// the network once on each of the two batches. Everything is a setting: the ablations replace one of the two rules by
// "every sample".

public import Backdoor
public import Torch
import TorchNN
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
    let state = try train(model, on: data, context: input.training)
    let judge = judge ?? rule
    return judge.outcome(model, on: data, logits: model.logits(of: data, context: input.training), state.outer)
  }

  /// What the rules of the two problems remember between steps.
  public struct State {
    public var inner: TrainingState?
    public var outer: TrainingState?

    public init(inner: TrainingState? = nil, outer: TrainingState? = nil) {
      self.inner = inner
      self.outer = outer
    }
  }

  /// What the rules remember before the first step.
  func makeState(for data: ImageDataset, on device: Device) -> State {
    func make(_ rule: any NoisyLabelRule) -> TrainingState? {
      rule.makeState(samples: data.count, classes: data.classes, device: device)
    }
    return State(inner: adversary == nil ? nil : make(innerRule), outer: make(rule))
  }

  /// Trains the model in place and leaves it in evaluation mode.
  /// - Returns: what the rules remember after the last step.
  /// - Throws: `TrainingError`, `Interrupted`, and what the context throws.
  @discardableResult
  public func train(_ model: Classifier, on data: ImageDataset, context: TrainingContext) throws -> State {
    let state = makeState(for: data, on: context.device)
    let states = ["inner": state.inner, "outer": state.outer].compactMapValues { $0 }
    try Trainer(recipe, stage: stage).train(model, on: data, context: context, states: states) { batch in
      loss(
        model, images: batch.images, labels: batch.labels, indices: batch.indices, state: state, epoch: batch.epoch,
        context: context)
    }
    return state
  }

  /// Algorithm 1 for one minibatch: the loss of the outer problem on the images that the inner one finds.
  /// - Parameters:
  ///   - images: pixels, B x C x H x W; labels: int64 B; indices: their positions in the training set, int64 B.
  ///   - epoch: from 0.
  public func loss(
    _ model: Classifier, images: Tensor, labels: Tensor, indices: Tensor, state: State = State(), epoch: Int,
    context: TrainingContext
  ) -> BatchLoss {
    let perturbed =
      adversary?.perturb(
        images, labels: labels, indices: indices, model: model, rule: innerRule, state: state.inner, epoch: epoch,
        labelSmoothing: recipe.labelSmoothing, context: context)
      ?? images
    return context.compute {
      rule.loss(
        model(perturbed), labels, indices: indices, state.outer, epoch: epoch, labelSmoothing: recipe.labelSmoothing)
    }
  }
}
