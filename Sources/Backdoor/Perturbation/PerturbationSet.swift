import Foundation
public import Torch

/// A set of perturbations to search by projected gradient ascent: L_inf, L2 or L1 balls around zero. Radii are in
/// pixels ([0, 1]).
///
/// Perturbations are N x C x H x W; every norm is that of one image.
public protocol PerturbationSet: Sendable {
  var radius: Double { get }
  /// The direction of steepest ascent with length 1 in the set's norm.
  func direction(_ gradient: Tensor) -> Tensor
  /// The nearest point of the set.
  func project(_ delta: Tensor) -> Tensor
  /// A random point of the set.
  func random(_ shape: Shape, _ generator: Generator) -> Tensor
}

extension PerturbationSet {
  /// Uniform noise, projected.
  public func random(_ shape: Shape, _ generator: Generator) -> Tensor {
    project(generator.uniform(shape, -radius, radius))
  }
}

/// The ball of a norm, as settings name it.
public protocol NormBall: PerturbationSet {
  /// - Parameter share: of the coordinates that a step moves, where the norm's steepest ascent moves a single one.
  init(radius: Double, share: Double)
}

public struct LinfBall: NormBall {
  public var radius: Double
  public init(radius: Double) { self.radius = radius }
  public init(radius: Double, share: Double) { self.init(radius: radius) }
  public func direction(_ gradient: Tensor) -> Tensor { gradient.sign() }
  public func project(_ delta: Tensor) -> Tensor { delta.clamped(-radius, radius) }
}

public struct L2Ball: NormBall {
  public var radius: Double
  public init(radius: Double) { self.radius = radius }
  public init(radius: Double, share: Double) { self.init(radius: radius) }
  /// The gradient over its norm; zero where the gradient is zero.
  public func direction(_ gradient: Tensor) -> Tensor {
    let norm = gradient.norm(2, [1, 2, 3], keep: true)
    return Tensor.where(norm .> 0, gradient / norm, gradient)
  }
  public func project(_ delta: Tensor) -> Tensor {
    let norm = delta.norm(2, [1, 2, 3], keep: true)
    return Tensor.where(norm .> radius, delta * (radius / norm), delta)
  }
}

public struct L1Ball: NormBall {
  public var radius: Double
  /// Share of the coordinates that `direction` moves by the same length, those with the largest gradients (Tramer and
  /// Boneh, Adversarial Training and Robustness for Multiple Perturbations, 2019); 0 moves one, which is the steepest
  /// ascent.
  public var share: Double
  public var projection = L1Projection.euclidean
  public init(radius: Double, share: Double) {
    self.radius = radius
    self.share = share
  }
  public init(radius: Double, share: Double = 0, projection: L1Projection = .euclidean) {
    self.init(radius: radius, share: share)
    self.projection = projection
  }
  /// The one coordinate with the largest gradient, or a share of them.
  public func direction(_ gradient: Tensor) -> Tensor {
    let flat = gradient.flattened(1)
    let moving = Int(share * Double(flat.dimension(1)))
    if moving > 1 {
      let index = flat.abs().topK(moving, 1).indices
      let sign = flat.gathered(1, index).sign() / Double(moving)
      return Tensor.zeros(like: flat).scattered(1, index, sign).reshaped(gradient.shape)
    }
    let index = flat.abs().argmax(1, keep: true)
    let sign = flat.gathered(1, index).sign()
    return Tensor.zeros(like: flat).scattered(1, index, sign).reshaped(gradient.shape)
  }
  public func project(_ delta: Tensor) -> Tensor {
    switch projection {
    case .euclidean: return nearest(delta)
    case .rescaling:
      let norm = delta.norm(1, [1, 2, 3], keep: true)
      return Tensor.where(norm .> radius, delta * (radius / norm), delta)
    }
  }
  /// Duchi et al., Efficient Projections onto the l1-Ball, 2008.
  private func nearest(_ delta: Tensor) -> Tensor {
    let flat = delta.flattened(1)
    let size = flat.abs()
    let sorted = size.sorted(1, descending: true).values
    let excess = sorted.cumulativeSum(1) - radius
    let rank = Tensor.arange(1..<(flat.dimension(1) + 1), dtype: .float32, device: delta.device)
    let rho = ((sorted * rank .> excess).to(.int64).sum([1], keep: true) - 1).clamped(min: 0)
    let theta = excess.gathered(1, rho) / (rho + 1).to(.float32)
    let shrunk = flat.sign() * (size - theta).clamped(min: 0)
    return Tensor.where(size.sum([1], keep: true) .> radius, shrunk, flat).reshaped(delta.shape)
  }
}

/// How a perturbation outside an L1 ball gets into it.
public enum L1Projection: String, Codable, Sendable, CaseIterable {
  /// Divided by its norm: every coordinate shrinks in proportion.
  case rescaling
  /// To the nearest point of the ball, which sets small coordinates to zero.
  case euclidean
}

/// The norms by name, for settings.
public enum Norm: String, Codable, Sendable, CaseIterable {
  case linf, l2, l1

  /// - Parameter l1: how the ball of that norm projects.
  public func ball(_ radius: Double, l1 projection: L1Projection = .euclidean) -> any PerturbationSet {
    switch self {
    case .linf: LinfBall(radius: radius)
    case .l2: L2Ball(radius: radius)
    case .l1: L1Ball(radius: radius, projection: projection)
    }
  }
}
