public import Torch
import TorchNN
import Training
public import Vision

/// A search in progress: the perturbation of one batch, how it changes images, and how it moves.
public protocol ThreatSearch: AnyObject {
  /// What the search varies: a leaf tensor whose first dimension is the batch.
  var variable: Tensor { get }
  /// The changed images, B x C x H x W; differentiable in `base` and in `variable`.
  func apply(to base: Tensor) -> Tensor
  /// What is taken from each image's loss, B; nil for nothing.
  /// - Parameters:
  ///   - changed: `apply(to: base)`.
  ///   - features: the model's on `changed`, where it has been there already.
  func penalty(base: Tensor, changed: Tensor, features: Features?) -> Tensor?
  /// One step up along the gradient of the loss minus all penalties. Called without recording; `base` as `apply` last
  /// saw it.
  func step(_ gradient: Tensor, base: Tensor)
  /// The result of the search around `base`, in [0, 1]. Called without recording.
  func finish(_ base: Tensor) -> Tensor
}

extension ThreatSearch {
  public func penalty(base: Tensor, changed: Tensor, features: Features?) -> Tensor? { nil }
}

/// A threat that climbs a loss along its gradient.
public protocol IterativeThreat: ThreatModel {
  var steps: Int { get }
  var loss: AttackLoss { get }
  /// The start of a search.
  /// - Parameter steps: that the search will take: in a joint one not always the threat's own number. What changes over
  ///   a search goes by it.
  func begin(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator, steps: Int) -> any ThreatSearch
}

extension IterativeThreat {
  public func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor {
    ascend([begin(images, attacked, generator, steps: steps)], steps: steps, loss: loss, images, attacked)
  }
}

/// Moves all searches together, each changing what the one before it made of the images: one forward and one backward
/// pass a step.
func ascend(_ searches: [any ThreatSearch], steps: Int, loss: AttackLoss, _ images: Tensor, _ attacked: AttackedModel)
  -> Tensor
{
  let last = searches.count - 1
  for _ in 0..<steps {
    let variables = searches.map { $0.variable.requiresGrad_() }
    var chain = [images]
    for (index, search) in searches.enumerated() { chain.append(search.apply(to: chain[index])) }
    let (logits, features) = attacked.context.compute { attacked.model.logitsAndFeatures(chain[last + 1]) }
    var objective = loss(logits, attacked.labels)
    for (index, search) in searches.enumerated() {
      let penalty = search.penalty(
        base: chain[index], changed: chain[index + 1], features: index == last ? features : nil)
      if let penalty { objective = objective - penalty }
    }
    // A sum: what an image's perturbation does must not depend on the size of its batch.
    let slopes = gradients(of: objective.sum(), at: variables)
    noGrad { for (index, search) in searches.enumerated() { search.step(slopes[index], base: chain[index].detach()) } }
  }
  return noGrad { searches.reduce(images) { $1.finish($0) } }
}
