// The supervised part of the noisy-label paper's semi-supervised method (algorithm 2): the last linear layer learns by
// a noisy-label rule on the features of a frozen backbone, and its largest singular values, which multiply the
// Lipschitz constant of the whole, are cut off after each step.
//
// Decided here: s_max = 1; the backbone is frozen with its running statistics; images are not augmented, so each
// image's features are computed once; the recipe is the paper's for all methods (AdamW 3e-4, batch 128, 100 epochs).

import Backdoor
public import Support
public import Torch
import TorchNN
public import Training
public import Vision

/// What is done to a weight matrix's singular values after each step.
public struct SpectralLimit: Configurable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Those above `largest` become `largest`: W = U min(S, s_max) V^T.
    case truncate
    /// The whole matrix is scaled so that the largest becomes `largest`, also where it was smaller: Miyato et al. 2018.
    case divide
    /// Nothing: PRL-SimCLR of the paper's table 2.
    case none
  }

  public var kind = Kind.truncate
  public var largest = 1.0
  public init() {}
  public static let settings: [Setting] = [
    Setting(
      "kind", "After each step: cut singular values off, divide the matrix by its largest one, or nothing.",
      choices: Kind.allCases.map(\.rawValue), source: "paper, algorithm 2: truncate"),
    Setting(
      "largest", "The largest singular value that the last layer may have.", range: 1e-6...1e6, source: "decided: 1"),
  ]

  /// Changes a matrix in place. One that is not finite stays as it is: it has no singular values, and the loss tells
  /// that the training diverged.
  public func apply(to weight: Tensor) {
    noGrad {
      guard kind != .none, weight.detach().isFinite().all().item() != 0 else { return }
      switch kind {
      case .truncate: weight.copy_(weight.detach().truncatingSingularValues(at: largest))
      case .divide: weight.mul_(largest / weight.detach().singularValues().max())
      case .none: break
      }
    }
  }
}

/// Trains the last layer of a classifier whose backbone stays as it is.
public struct RobustLinearHead: Sendable {
  public var rule: any NoisyLabelRule
  public var limit: SpectralLimit
  public var recipe: Recipe
  public var stage: String

  public init(
    rule: any NoisyLabelRule, limit: SpectralLimit = SpectralLimit(), recipe: Recipe = .noisyLabel,
    stage: String = "head"
  ) {
    self.rule = rule
    self.limit = limit
    self.recipe = recipe
    self.stage = stage
  }

  /// - Throws: `DefenseError` for settings that cannot be.
  func check() throws(DefenseError) {
    guard recipe.crop == 0, !recipe.flip else {
      throw DefenseError.invalid(
        "defense.recipe.crop \(recipe.crop), defense.recipe.flip \(recipe.flip): the features of each image are "
          + "computed once, "
          + "so images cannot be augmented. Set crop 0 and flip false.")
    }
  }

  /// Trains in place, leaves the model in evaluation mode, and returns its logits on all images of `data` (float32 N x
  /// K) and what the rule remembers.
  /// - Parameters:
  ///   - model: a classifier with a trained backbone. All but the last layer stays bit for bit.
  ///   - labeled: positions in `data` whose labels are used; nil means all.
  /// - Throws: `DefenseError`, `TrainingError`, `Interrupted`, and what the context throws.
  public func train(_ model: Classifier, on data: ImageDataset, labeled: [Int]? = nil, context: TrainingContext) throws
    -> (logits: Tensor, state: TrainingState?)
  {
    let positions = Tensor((labeled ?? Array(0..<data.count)).map(Int64.init)).to(context.device)
    guard positions.count > 0 else { throw DefenseError.invalid("\(stage): there is no labelled image to learn from.") }
    try check()
    model.to(context.device).to(.channelsLast).eval()
    let data = data.to(context.device)
    let features = model.penultimateFeatures(of: data, context: context)
    let head = model.headParameters(features: features.dimension(1)).map(\.tensor)
    var trainer = Trainer(recipe, stage: stage)
    // The features belong to evaluation mode.
    trainer.trainingMode = false
    let limited = head.filter { $0.rank == 2 }
    let state = rule.makeState(samples: data.count, classes: data.classes, device: context.device)
    try trainer.train(
      model, on: data, samples: positions, context: context, optimizer: recipe.makeOptimizer(head),
      states: state.map { ["outer": $0] } ?? [:],
      afterStep: { for weight in limited { limit.apply(to: weight) } },
      loss: { batch in
        rule.loss(
          model.logits(features[batch.indices]).to(.float32), batch.labels, indices: batch.indices, state,
          epoch: batch.epoch, labelSmoothing: recipe.labelSmoothing)
      })
    return (noGrad { model.logits(features).to(.float32) }, state)
  }
}
