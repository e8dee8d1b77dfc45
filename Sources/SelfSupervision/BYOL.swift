// BYOL (Grill et al., Bootstrap Your Own Latent, 2020), equation 2: from one view, the online network predicts how a
// slowly moving target network projects the other view; both directions count. The target's share m stays constant (the
// authors raise it to 1 along a cosine; the decoupled-training paper names .99 alone).

public import Torch
public import TorchNN
public import Training

public final class BYOL: Module, SelfSupervisedLearner {
  public let encoder: Encoder
  public let predictor: Projector
  public let target: Encoder
  private let average: ExponentialMovingAverage

  /// - Parameter momentum: share of the target that stays in a step.
  public init(_ encoder: Encoder, predictor: Projector, momentum: Double) throws {
    self.encoder = encoder
    self.predictor = predictor
    target = try encoder.target()
    average = try ExponentialMovingAverage(of: encoder, in: target, decay: momentum)
  }

  public var trained: [Tensor] { encoder.parameters() + predictor.parameters() }

  public func loss(of views: Tensor, _ context: TrainingContext, _ generator: Generator) -> (
    loss: Tensor, similarity: Tensor
  ) {
    let n = views.dimension(0) / 2
    let views = [views[0..<n], views[n..<(2 * n)]]
    // Each view is a batch of its own, with its own batch statistics.
    let predictions = views.map { view in
      let projection = encoder(view, context)
      return context.compute { predictor(projection) }.to(.float32).unitRows()
    }
    let targets = noGrad { views.map { target($0, context).unitRows() } }
    return (
      Self.loss(predictions[0], target: targets[1]) + Self.loss(predictions[1], target: targets[0]),
      meanCosine(predictions[0], targets[1])
    )
  }

  public func afterStep() { average.update(from: encoder) }

  /// The mean squared distance of unit rows, 2 - 2 cos, each N x D.
  public static func loss(_ prediction: Tensor, target: Tensor) -> Tensor {
    2 - 2 * (prediction * target).sum([1]).mean()
  }
}
