// SimCLR (Chen et al., A Simple Framework for Contrastive Learning of Visual Representations, 2020), equation 1: each
// view has to find the other view of its image among all views of the batch. Both views pass the network as one batch.

public import Torch
public import TorchNN
public import Training

public final class SimCLR: Module, SelfSupervisedLearner {
  public let encoder: Encoder
  public let temperature: Double
  public let anchors: NTXent.Anchors

  public init(_ encoder: Encoder, temperature: Double, anchors: NTXent.Anchors) {
    self.encoder = encoder
    self.temperature = temperature
    self.anchors = anchors
  }

  public var trained: [Tensor] { parameters() }

  public func loss(of views: Tensor, _ context: TrainingContext, _ generator: Generator) -> (
    loss: Tensor, similarity: Tensor
  ) {
    let z = encoder(views, context).unitRows()
    let n = z.dimension(0) / 2
    return (NTXent.loss(z, temperature: temperature, anchors: anchors), meanCosine(z[0..<n], z[n..<(2 * n)]))
  }
}

/// The normalised, temperature-scaled cross entropy.
public enum NTXent {
  public enum Anchors: String, Codable, Sendable, CaseIterable {
    /// Both views of each image: equation 1.
    case all
    /// The first view of each image, as the code of the decoupled-training paper has it.
    case first
  }

  /// - Parameter z: 2N x D unit rows; row N + i is the other view of row i.
  /// - Returns: the mean over the anchors of -log( exp(sim(i, j)/T) / sum over k != i of exp(sim(i, k)/T) ).
  public static func loss(_ z: Tensor, temperature: Double, anchors: Anchors = .all) -> Tensor {
    let count = z.dimension(0)
    require(count % 2 == 0 && count > 0, "NT-Xent needs two views of each image, not \(z.summary)")
    let rows = anchors == .all ? count : count / 2
    let positions = Tensor.arange(count, device: z.device)
    let itself = positions.unsqueezed(0) .== positions[0..<rows].unsqueezed(1)
    let logits = (z[0..<rows].matmul(z.transposed()) / temperature).filled(where: itself, with: -.infinity)
    return F.crossEntropy(logits, positions.rolled(-count / 2, 0)[0..<rows])
  }
}
