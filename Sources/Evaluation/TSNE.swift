// t-distributed stochastic neighbour embedding (van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008),
// exact: all pairs, as matrix operations, which suits the one or two thousand points of a picture. Starts from the
// principal components (scaled to a standard deviation of 1e-4), so that the picture is the same each time.
//
// Learning rate max(N / exaggeration, 200), as the authors' program and those after it (bhtsne, FIt-SNE, openTSNE) count
// it: they leave the factor 4 of equation 5 out of the gradient. Belkina et al. (2019) give N / exaggeration for these.
// For the gradient with its factor 4 it is a quarter, max(N / exaggeration / 4, 50), which is scikit-learn's `auto`.

import Foundation
public import Torch

public struct TSNE: Sendable {
  /// Effective number of neighbours; at most a third of the points.
  public var perplexity = 30.0
  public var iterations = 750
  /// Iterations in which attraction is multiplied by `exaggeration`.
  public var exaggerated = 250
  public var exaggeration = 12.0
  /// Features are reduced to so many principal components first.
  public var components = 50

  public init() {}

  /// The most points: a matrix of all pairs then takes 256 MB, and about eight of them are alive at a time.
  public static let mostPoints = 8000

  /// Step size for the gradient with its factor 4.
  func rate(points: Int) -> Double { max(Double(points) / exaggeration, 200) / 4 }

  /// Positions in the plane, float N x 2, of features, float N x D; all 0 of fewer than four points, and where a
  /// feature is not finite. Traps on more than `mostPoints`.
  public func callAsFunction(_ features: Tensor) -> Tensor {
    noGrad {
      let count = features.dimension(0)
      require(count <= Self.mostPoints, "TSNE: \(count) points are more than \(Self.mostPoints). Choose some of them")
      guard count > 3, features.isFinite().all().item() != 0 else {
        return Tensor.zeros([count, 2], device: features.device)
      }
      let reduced = principalComponents(features.to(.float32))
      var p = affinities(reduced) * exaggeration
      let first =
        reduced.dimension(1) < 2 ? Tensor.concatenated([reduced, reduced * 0], 1) : reduced.narrowed(1, 0..<2)
      var y = first * (1e-4 / max(first.selected(1, 0).norm().item() / Double(count).squareRoot(), 1e-12))
      var velocity = Tensor.zeros(like: y)
      var gains = Tensor.ones(like: y)
      let rate = rate(points: count)
      for iteration in 0..<iterations {
        if iteration == exaggerated { p = p * (1 / exaggeration) }
        let gradient = Self.gradient(p, y)
        let turned = (gradient.sign() .!= velocity.sign()).to(.float32)
        gains = (turned * (gains + 0.2) + (1 - turned) * gains * 0.8).clamped(min: 0.01)
        velocity = velocity * (iteration < exaggerated ? 0.5 : 0.8) - gains * gradient * rate
        y = y + velocity
        y = y - y.mean([0], keep: true)
      }
      return y
    }
  }

  /// The gradient of the Kullback-Leibler divergence at positions y (equation 5).
  static func gradient(_ p: Tensor, _ y: Tensor) -> Tensor {
    let kernel = 1 / (squaredDistances(y) + 1)
    let own = Tensor.eye(y.dimension(0), device: y.device)
    let without = kernel * (1 - own)
    let q = (without / without.sum()).clamped(min: 1e-12)
    let weight = (p - q) * without
    return (y * weight.sum([1], keep: true) - weight.matmul(y)) * 4
  }

  /// Symmetric affinities, N x N, summing to one: Gaussian neighbourhoods of the given perplexity (section 2).
  func affinities(_ x: Tensor) -> Tensor {
    let count = x.dimension(0)
    let own = Tensor.eye(count, device: x.device)
    let distances = Self.squaredDistances(x)
    let target = log(min(perplexity, Double(count - 1) / 3))
    var (low, high) = (
      Tensor.zeros([count, 1], device: x.device), Tensor.full([count, 1], .infinity, device: x.device)
    )
    var beta = 1 / distances.mean([1], keep: true).clamped(min: 1e-12)
    var conditional = Tensor.zeros(like: distances)
    for _ in 0..<64 {
      // The nearest neighbour's distance is taken off all exponents: the same probabilities without underflow. Of a point
      // and itself that would overflow where it lies far from the others.
      let nearest = (distances + own * Double(Float.greatestFiniteMagnitude)).min([1], keep: true)
      let weight = (-(distances - nearest) * beta).clamped(max: 0).exp() * (1 - own)
      let total = weight.sum([1], keep: true)
      conditional = weight / total
      let entropy = total.log() + (conditional * (distances - nearest)).sum([1], keep: true) * beta
      let tooWide = entropy .> target
      low = Tensor.where(tooWide, beta, low)
      high = Tensor.where(tooWide, high, beta)
      let doubled = beta * 2
      beta = Tensor.where(
        tooWide, Tensor.where(high .== Double.infinity, doubled, (low + high) * 0.5), (low + high) * 0.5)
    }
    let joint = conditional + conditional.transposed(0, 1)
    return (joint / joint.sum()).clamped(min: 1e-12)
  }

  static func squaredDistances(_ x: Tensor) -> Tensor {
    let norms = (x * x).sum([1], keep: true)
    return (norms + norms.transposed(0, 1) - x.matmul(x.transposed(0, 1)) * 2).clamped(min: 0)
  }

  /// The centred features along their first singular vectors.
  private func principalComponents(_ x: Tensor) -> Tensor {
    let centred = x - x.mean([0], keep: true)
    let (u, s, _) = centred.svd()
    let kept = min(components, s.dimension(0))
    return u.narrowed(1, 0..<kept) * s[0..<kept]
  }
}
