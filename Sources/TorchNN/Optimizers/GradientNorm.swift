public import Torch

/// The 2-norm of several tensors taken as one vector, a scalar; differentiable.
public func globalNorm(_ tensors: [Tensor]) -> Tensor {
  let squares = tensors.map { $0.pow(2).sum() }
  return squares.dropFirst().reduce(squares[0], +).sqrt()
}

/// Scales gradients in place so that their common 2-norm is at most `limit`, as `torch.nn.utils.clip_grad_norm_`.
/// Returns the norm from before.
@discardableResult
public func clipGlobalNorm(_ gradients: [Tensor], to limit: Double) -> Double {
  guard !gradients.isEmpty else { return 0 }
  return noGrad {
    let norm = Fused.totalNorm(gradients).item()
    let scale = limit / (norm + 1e-6)
    if scale < 1 { Fused.multiply(gradients, scale) }
    return norm
  }
}
