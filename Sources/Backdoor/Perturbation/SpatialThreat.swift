// Spatially transformed adversarial examples (Xiao et al., Spatially Transformed Adversarial Examples, ICLR 2018) by
// first-order steps, as spatial adversarial training uses them (Gao et al. 2022, section 2.1): pixels move, their
// values do not.
//
// x'(p) = x(p + f(p)), sampled bilinearly. The flow f is a batch of B x H x W displacements (x, y) in the coordinates
// in which an image reaches from -1 to 1: a bound of .025 is .4 pixels at 32 x 32. From the authors' code: no flow at
// the start, Adam with rate .01, 20 steps, zeros outside the image; minimise
//   margin + (.0025 / bound) sum_p sum_{q next to p} sqrt(|f(p) - f(q)|^2 + 1e-10)
// where the margin is the label's logit minus the largest other; the flow is clamped to the bound before each forward
// pass. Where the four neighbours of a pixel reach beyond the image, they do not count [decided here].

import Foundation
public import Support
public import Torch
import TorchNN
import Vision

/// Pixels move, their values stay.
public struct SpatialThreat: IterativeThreat, Configurable {
  public enum Start: String, Codable, Sendable, CaseIterable {
    /// The image.
    case zero
    /// A random flow inside the bound: for few steps.
    case random
  }

  public var bound = 0.025
  public var steps = 20
  public var learningRate = 0.01
  public var smoothness = 0.0025
  public var start = Start.zero
  public var loss = AttackLoss.margin

  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "bound", "Largest displacement on each axis: .025 is .4 pixels at 32 x 32.", unit: "half image sizes",
      range: 0...2,
      source: "paper: .025 to .1, .025 in CAT"),
    Setting(
      "steps", "Adam steps; fewer with a learning rate nearer the bound are faster and somewhat weaker.", unit: "steps",
      range: 0...1000, source: "authors' code: 20"),
    Setting(
      "learningRate", "Adam's learning rate, about the length of its first steps.", unit: "half image sizes",
      range: 0...2,
      source: "authors' code: .01"),
    Setting(
      "smoothness", "Weight of the flow's roughness against the margin, times the bound.", range: 0...1000,
      source: "authors' code: .0025"),
    Setting(
      "start", "Where the search starts.", choices: Start.allCases.map(\.rawValue), source: "authors' code: zero"),
    Setting(
      "loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue),
      source: "authors' code: margin"),
  ]

  public func begin(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator, steps: Int)
    -> any ThreatSearch
  {
    Search(self, images, generator)
  }

  private final class Search: ThreatSearch {
    private let threat: SpatialThreat
    private let grid: Tensor
    private let adam: Adam
    let variable: Tensor

    init(_ threat: SpatialThreat, _ images: Tensor, _ generator: Generator) {
      self.threat = threat
      grid = Flow.identity(like: images)
      let shape = [images.dimension(0), images.dimension(2), images.dimension(3), 2]
      variable =
        switch threat.start {
        case .zero: Tensor.zeros(shape, device: images.device)
        case .random: generator.uniform(shape, -threat.bound, threat.bound)
        }
      adam = Adam([variable], learningRate: threat.learningRate)
    }

    func apply(to base: Tensor) -> Tensor { F.gridSample(base, grid + variable).contiguous(.channelsLast) }
    func step(_ gradient: Tensor, base: Tensor) {
      // Adam goes down; the roughness has its gradient in closed form, many times faster than by recording.
      var slope = -gradient
      if threat.smoothness > 0, threat.bound > 0 {
        slope = slope + Flow.roughnessGradient(variable.detach()) * (threat.smoothness / threat.bound)
      }
      adam.step(gradients: [slope])
      variable.clamp_(-threat.bound, threat.bound)
    }
    func finish(_ base: Tensor) -> Tensor { Flow.warp(base, variable.detach()) }
  }
}

/// Displacements of pixels: B x H x W x 2 of x and y, in coordinates in which an image reaches from -1 to 1.
public enum Flow {
  /// The sampling grid that changes nothing, 1 x H x W x 2.
  public static func identity(like images: Tensor) -> Tensor {
    let theta = Tensor([1, 0, 0, 0, 1, 0] as [Float], shape: [1, 2, 3]).to(images.device)
    return F.affineGrid(theta, [1, 1, images.dimension(2), images.dimension(3)])
  }

  /// Images sampled at displaced places, in [0, 1]; zeros come in from outside.
  public static func warp(_ images: Tensor, _ flow: Tensor) -> Tensor {
    // Bilinear weights can sum to a little more than 1.
    F.gridSample(images, identity(like: images) + flow).clamped(0, 1).contiguous(.channelsLast)
  }

  /// How much neighbours differ: the sum over pixels and their up to four neighbours of sqrt(du^2 + dv^2 + 1e-10), B.
  public static func roughness(_ flow: Tensor) -> Tensor {
    let (across, down) = differences(flow.permuted(0, 3, 1, 2))
    // Each pair of neighbours is met from both sides.
    func lengths(_ d: Tensor) -> Tensor { (d.square().sum([1]) + epsilon).sqrt().sum([1, 2]) * 2 }
    return lengths(across) + lengths(down)
  }

  /// d sum(roughness(flow)) / d flow, in the flow's shape.
  public static func roughnessGradient(_ flow: Tensor) -> Tensor {
    noGrad {
      // Planes of x and of y: sums over the two of them are then whole vectors.
      let planes = flow.permuted(0, 3, 1, 2).contiguous()
      let out = Tensor.zeros(like: planes)
      let (across, down) = differences(planes)
      for (d, axis) in [(across, 3), (down, 2)] {
        let (x, y) = (d.selected(1, 0), d.selected(1, 1))
        d.mul_(((x.square() + y.square() + epsilon).rsqrt() * 2).unsqueezed(1))
        let size = planes.dimension(axis)
        out.narrowed(axis, 1..<size).add_(d)
        out.narrowed(axis, 0..<(size - 1)).sub_(d)
      }
      return out.permuted(0, 2, 3, 1).contiguous()
    }
  }

  private static let epsilon = 1e-10
  private static func differences(_ planes: Tensor) -> (across: Tensor, down: Tensor) {
    let (height, width) = (planes.dimension(2), planes.dimension(3))
    return (
      planes.narrowed(3, 1..<width) - planes.narrowed(3, 0..<(width - 1)),
      planes.narrowed(2, 1..<height) - planes.narrowed(2, 0..<(height - 1))
    )
  }
}
