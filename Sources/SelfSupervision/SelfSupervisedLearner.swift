public import Torch
public import TorchNN
public import Training
public import Vision

/// A network that learns from pairs of views. All that changes over epochs is part of its state: target networks,
/// queues.
public protocol SelfSupervisedLearner: Module {
  /// What the optimizer changes. Parameters that a loss does not reach (the classifier's last layer) stay as they are.
  var trained: [Tensor] { get }

  /// The loss of a batch.
  /// - Parameters:
  ///   - views: 2N x C x H x W; row N + i is the other view of row i.
  ///   - generator: for methods that shuffle.
  /// - Returns: the loss, a float32 scalar with gradients, and the mean cosine of the two views of an image, between
  ///   which the loss is.
  func loss(of views: Tensor, _ context: TrainingContext, _ generator: Generator) -> (loss: Tensor, similarity: Tensor)

  /// Called after each step of the optimizer: moves target networks and queues.
  func afterStep()
}

extension SelfSupervisedLearner {
  public func afterStep() {}
}

/// Pixels to projections: a classifier without its last layer, then a projector.
public final class Encoder: Module {
  public let backbone: Classifier
  public let projector: Projector

  public init(_ backbone: Classifier, _ projector: Projector) {
    self.backbone = backbone
    self.projector = projector
  }

  /// N x D float32, in the context's precision.
  public func callAsFunction(_ images: Tensor, _ context: TrainingContext) -> Tensor {
    context.compute { projector(backbone.features(images).penultimate) }.to(.float32)
  }

  /// A network of the same shape with the same weights, to be moved after this one.
  func target() throws -> Encoder { Encoder(try backbone.copied(), projector.copied()) }
}

/// Two linear layers with BatchNorm, if wanted, and ReLU between them: projection and prediction heads.
public final class Projector: Module, Layer {
  let first: Linear
  let norm: BatchNorm2d?
  let last: Linear
  private let sizes: (inputs: Int, hidden: Int, outputs: Int)

  public init(_ inputs: Int, hidden: Int, outputs: Int, normalized: Bool, _ generator: Generator) {
    first = Linear(inputs, hidden, generator)
    norm = normalized ? BatchNorm2d(hidden) : nil
    last = Linear(hidden, outputs, generator)
    sizes = (inputs, hidden, outputs)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    let h = first(x)
    return last((norm.map { $0(h) } ?? h).relu())
  }

  func copied() -> Projector {
    let copy = Projector(
      sizes.inputs, hidden: sizes.hidden, outputs: sizes.outputs, normalized: norm != nil, Generator(seed: 0))
    noGrad {
      for (mine, theirs) in zip(copy.stateDict().entries, stateDict().entries) { mine.tensor.copy_(theirs.tensor) }
    }
    return copy
  }
}

extension Tensor {
  /// Rows of length 1.
  func unitRows() -> Tensor { self / norm(2, [1], keep: true).clamped(min: 1e-12) }
}

/// The mean cosine of the rows of two matrices of unit rows, for people to watch.
func meanCosine(_ a: Tensor, _ b: Tensor) -> Tensor { noGrad { (a.detach() * b.detach()).sum([1]).mean() } }
