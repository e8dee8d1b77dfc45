import Torch

/// The largest difference, as a share of the largest expected magnitude; infinite for different shapes.
func deviation(_ found: Tensor, _ expected: Tensor) -> Double {
  guard found.shape == expected.shape else { return .infinity }
  return noGrad { (found - expected).abs().max().item() / Swift.max(expected.abs().max().item(), 1e-12) }
}
