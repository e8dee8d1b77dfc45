// The supervised part of the noisy-label paper's semi-supervised method (algorithm 2): the last linear layer learns by a noisy-label rule
// on the features of a frozen backbone, and its largest singular values, which multiply the Lipschitz constant of the whole, are cut off
// after each step.
//
// Decided here: s_max = 1; the backbone is frozen with its running statistics; images are not augmented, so each image's features are
// computed once; the recipe is the paper's for all methods (AdamW 3e-4, batch 128, 100 epochs).

import Backdoor
import SelfSupervision
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
    Setting("largest", "The largest singular value that the last layer may have.", range: 1e-6...1e6, source: "decided: 1"),
  ]

  /// Changes a matrix in place.
  public func apply(to weight: Tensor) {
    noGrad {
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

  public init(rule: any NoisyLabelRule, limit: SpectralLimit = SpectralLimit(), recipe: Recipe = .noisyLabel, stage: String = "head") {
    self.rule = rule
    self.limit = limit
    self.recipe = recipe
    self.stage = stage
  }

  /// - Throws: `DefenseError` for settings that cannot be.
  func check() throws(DefenseError) {
    guard recipe.crop == 0, !recipe.flip else {
      throw DefenseError.invalid(
        "defense.recipe.crop \(recipe.crop), defense.recipe.flip \(recipe.flip): the features of each image are computed once, "
          + "so images cannot be augmented. Set crop 0 and flip false.")
    }
  }

  /// Trains in place, leaves the model in evaluation mode, and returns its logits on all images of `data` (float32 N x K).
  /// - Parameters:
  ///   - model: a classifier with a trained backbone. All but the last layer stays bit for bit.
  ///   - labeled: positions in `data` whose labels are used; nil means all.
  /// - Throws: `DefenseError`, `TrainingError`, `Interrupted`, and what the context throws.
  public func train(_ model: Classifier, on data: ImageDataset, labeled: [Int]? = nil, context: TrainingContext) throws -> Tensor {
    let positions = Tensor((labeled ?? Array(0..<data.count)).map(Int64.init)).to(context.device)
    guard positions.count > 0 else { throw DefenseError.invalid("\(stage): there is no labelled image to learn from.") }
    try check()
    model.to(context.device).to(.channelsLast).eval()
    let data = data.to(context.device)
    let features = model.penultimateFeatures(of: data, context: context)
    let labels = data.labels
    let head = model.headParameters(features: features.dimension(1)).map(\.tensor)
    let optimizer = recipe.makeOptimizer(head)
    let batches = Batches(count: positions.count, size: recipe.batch, dropLast: recipe.dropLast)
    let loop = EpochLoop(stage: stage, epochs: recipe.epochs, imagesPerEpoch: batches.images, context: context)
    try loop.run(model: model, optimizer: optimizer) { epoch, meter in
      let order = positions[context.generator("\(stage)/shuffle", epoch).permutation(positions.count)]
      // Whoever watches the epochs may have switched the mode; the features belong to this one.
      model.eval()
      for (step, range) in batches.ranges.enumerated() {
        optimizer.learningRate = recipe.rate(epoch: epoch, step: step, stepsPerEpoch: batches.ranges.count)
        let index = order[range]
        let loss = RuleLoss(
          model.logits(features[index]).to(.float32), labels[index], rule, epoch: epoch, labelSmoothing: recipe.labelSmoothing)
        optimizer.zeroGrad()
        loss.value.backward()
        if let norm = recipe.clipNorm { clipGradientNorm(optimizer.parameters, to: norm) }
        optimizer.step()
        for parameter in head where parameter.rank == 2 { limit.apply(to: parameter) }
        if let rows = loss.rows { meter.select(index[rows]) }
        try meter.step(images: range.count, ["loss": loss.value])
      }
    }
    optimizer.zeroGrad()
    return noGrad { model.logits(features).to(.float32) }
  }
}
