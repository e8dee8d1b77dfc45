// Random changes in place of adversarial ones: the baselines of Gao et al. 2022, table 1, with sigma from .05 to .2.
// Nothing is searched, so they cost next to nothing.

public import Support
public import Torch

/// Gaussian noise on every pixel and channel, clipped to [0, 1].
public struct GaussianNoise: ThreatModel, Configurable {
  public var sigma = 0.1
  public init() {}
  public static let settings: [Setting] = [
    Setting("sigma", "Standard deviation.", unit: "pixels in [0,1]", range: 0...10, source: "paper, table 1: .05 to .2")
  ]

  public func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor {
    noGrad { (images + generator.normal(images.shape).contiguous(.channelsLast) * sigma).clamped(0, 1) }
  }
}

/// Random spatial transformations. The paper does not say which; a uniform flow is a random point of the set that
/// `SpatialThreat` searches.
public struct RandomSpatial: ThreatModel, Configurable {
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Each pixel moves on its own, on each axis by U(-sigma, sigma).
    case uniform
    /// Each pixel moves on its own, on each axis by N(0, sigma^2).
    case normal
    /// One affine map per image: the identity with U(-sigma, sigma) added to each of its six numbers.
    case affine
  }
  public var sigma = 0.1
  public var kind = Kind.uniform
  public init() {}
  public static let settings: [Setting] = [
    Setting(
      "sigma", "Size of the displacements.", unit: "half image sizes", range: 0...2, source: "paper, table 1: .05 to .2"
    ),
    Setting(
      "kind", "A flow that is uniform or normal at each pixel, or one affine map per image.",
      choices: Kind.allCases.map(\.rawValue), source: "the paper does not say: uniform, decided here"),
  ]

  public func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor {
    noGrad {
      let shape = [images.dimension(0), images.dimension(2), images.dimension(3), 2]
      let flow =
        switch kind {
        case .uniform: generator.uniform(shape, -sigma, sigma)
        case .normal: generator.normal(shape) * sigma
        // The grid is linear in the map: that of the change alone is the flow.
        case .affine: F.affineGrid(generator.uniform([shape[0], 2, 3], -sigma, sigma), images.shape)
        }
      return Flow.warp(images, flow)
    }
  }
}
