// Classification losses that forgive wrong labels, beside cross entropy, in one place.
//
// - SCE, symmetric cross entropy (Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, 2019,
//   equation 7): alpha CE + beta RCE with RCE = -sum over k of p_k log q_k, the one-hot label q clamped to [1e-4, 1]
//   and p to [1e-7, 1].
// - GCE, generalised cross entropy (Zhang and Sabuncu, 2018, equation 6): (1 - p_y^q) / q.
// - APL, active passive loss (Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, 2020): NCE +
//   RCE with NCE = log p_y / sum over k of log p_k, which lies in [0, 1].
//
// Weights of SCE as the decoupled-training paper sets them.

public import Torch

/// How far logits are from labels.
public struct RobustLoss: Sendable, Hashable {
  public enum Kind: String, Codable, Sendable, CaseIterable { case ce, sce, gce, apl }

  public var kind: Kind
  /// SCE: weights of cross entropy and of its reverse.
  public var alpha = 0.1
  public var beta = 1.0
  /// GCE: 0 would be cross entropy, 1 the absolute error.
  public var q = 0.7

  public init(_ kind: Kind) { self.kind = kind }

  /// One loss a sample, float32 N.
  /// - Parameters:
  ///   - logits: N x K, float32.
  ///   - labels: int64 N.
  public func callAsFunction(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    switch kind {
    case .ce: F.crossEntropy(logits, labels, reduction: .none)
    case .sce: F.crossEntropy(logits, labels, reduction: .none) * alpha + Self.reverse(logits, labels) * beta
    case .gce: (1 - (Self.ofLabel(F.logSoftmax(logits, 1), labels) * q).exp()) / q
    case .apl: Self.normalized(logits, labels) + Self.reverse(logits, labels)
    }
  }

  /// The mean over the samples, a scalar.
  public func mean(_ logits: Tensor, _ labels: Tensor) -> Tensor { self(logits, labels).mean() }

  /// RCE, one a sample.
  public static func reverse(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    let p = F.softmax(logits, 1).clamped(1e-7, 1)
    let target = labels.oneHot(logits.dimension(1)).to(p.dtype).clamped(1e-4, 1)
    return -(p * target.log()).sum([1])
  }

  /// NCE, one a sample.
  public static func normalized(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    let p = F.logSoftmax(logits, 1)
    return ofLabel(p, labels) / p.sum([1])
  }

  private static func ofLabel(_ values: Tensor, _ labels: Tensor) -> Tensor {
    values.gathered(1, labels.unsqueezed(1)).squeezed(1)
  }
}
