package import Torch

/// The gradient of an outer loss by the weights, where the perturbation is itself the solution of an inner problem that
/// depends on them: by the implicit function theorem, with the inverse as a fixed-point iteration (Grazzi et al., On the
/// Iteration Complexity of Hypergradient Computation, ICML 2020, algorithm 2).
///
/// With the inner map P(d, w) = d - step dL_in/dd, v <- (dP/dd)^T v + dL_out/dd is repeated `iterations` times from 0;
/// the result is dL_out/dw + (dP/dw)^T v.
package enum Hypergradient {
  /// - Parameters:
  ///   - perturbation: where the inner problem ended.
  ///   - inner, outer: the losses, scalars, of a perturbation; they use `weights`.
  /// - Returns: one gradient for each weight; zeros for one that neither loss depends on.
  package static func compute(
    at perturbation: Tensor, weights: [Tensor], iterations: Int, step: Double, tolerance: Double = 1e-10,
    inner: (Tensor) -> Tensor, outer: (Tensor) -> Tensor
  ) -> [Tensor] {
    let d = perturbation.detach().requiresGrad_()
    let direct = gradientsIfAny(of: [outer(d)], at: [d] + weights)
    let byPerturbation = direct[0] ?? Tensor.zeros(like: d.detach())
    // The map with its graph, which every product below goes back through.
    let mapped = d - gradient(of: inner(d), at: d, createGraph: true) * step
    // The first repetition, from 0.
    var v = iterations > 0 ? byPerturbation : Tensor.zeros(like: d.detach())
    for _ in 1..<max(iterations, 1) {
      let before = v
      let back = gradientsIfAny(of: [mapped], at: [d], seeds: [v], retainGraph: true)[0]
      v = noGrad { (back ?? Tensor.zeros(like: v)) + byPerturbation }
      if (v - before).norm().item() < tolerance { break }
    }
    let indirect = gradientsIfAny(of: [mapped], at: weights, seeds: [v])
    return zip(weights, zip(direct.dropFirst(), indirect)).map { weight, parts in
      noGrad {
        switch parts {
        case (let a?, let b?): a + b
        case (let a?, nil): a
        case (nil, let b?): b
        case (nil, nil): Tensor.zeros(like: weight.detach())
        }
      }
    }
  }
}
