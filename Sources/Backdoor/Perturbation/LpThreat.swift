// Projected gradient descent (Madry et al. 2018) in an L_inf, L2 or L1 ball around each image, cut with [0, 1]. As in
// Gao et al. 2022: random start, steps of radius / 4 along the norm's steepest direction. The paper gives no number of
// steps: 10 [decided here]. One step of the radius from the image itself is FGSM (Goodfellow et al., Explaining and
// Harnessing Adversarial Examples, 2015).

public import Support
public import Torch
import Vision

/// A ball of a norm around each image, by projected gradient descent.
public struct LpThreat<Ball: NormBall>: IterativeThreat, Configurable {
  public var radius = 8.0 / 255
  public var steps = 10
  public var step = 0.25
  public var start = LpStart.random
  public var loss = AttackLoss.crossEntropy
  public var share = 0.01

  public init() {}
  public init(radius: Double) { self.radius = radius }

  public static var settings: [Setting] {
    [
      Setting(
        "radius", "Size of the ball in its norm.", unit: "pixels in [0,1]", range: 0...10_000,
        source: "paper: linf 4/255 to 16/255, 2/255 in CAT; l2 64/255 to 512/255; l1 decided here"),
      Setting(
        "steps", "Gradient steps; one is enough for a small ball.", unit: "steps", range: 0...1000,
        source: "decided here: 10"),
      Setting(
        "step", "Length of a step, as a share of the radius.", unit: "fraction", range: 0...100,
        source: "paper's toolbox: 1/4"),
      Setting(
        "start", "Where the search starts.", choices: LpStart.allCases.map(\.rawValue),
        source: "random: Madry et al. 2018"),
      Setting(
        "loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue),
        source: "cross-entropy: Madry et al. 2018"),
      Setting(
        "share", "Of l1 alone: share of the coordinates that a step moves; 0 moves one.", unit: "fraction",
        range: 0...1,
        source: "Tramer and Boneh 2019"),
    ]
  }

  public var ball: Ball { Ball(radius: radius, share: share) }

  /// One step for those who have a gradient already: images that moved from `current` along the steepest direction of
  /// `gradient` and back into the ball around `images` and into [0, 1]. Image by image; an image without gradient stays
  /// where it is.
  public func step(from current: Tensor, around images: Tensor, along gradient: Tensor) -> Tensor {
    let moved = ball.project(current - images + ball.direction(gradient) * (radius * step))
    return (images + moved).clamped(0, 1)
  }

  public func begin(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator, steps: Int)
    -> any ThreatSearch
  {
    LpSearch(self, images, generator)
  }
}

public typealias LinfThreat = LpThreat<LinfBall>
public typealias L2Threat = LpThreat<L2Ball>
public typealias L1Threat = LpThreat<L1Ball>

public enum LpStart: String, Codable, Sendable, CaseIterable {
  /// A random point of the ball.
  case random
  /// The image.
  case zero
}

private final class LpSearch<Ball: NormBall>: ThreatSearch {
  private let threat: LpThreat<Ball>
  private(set) var variable: Tensor

  init(_ threat: LpThreat<Ball>, _ images: Tensor, _ generator: Generator) {
    self.threat = threat
    variable = noGrad {
      switch threat.start {
      case .zero: Tensor.zeros(like: images)
      case .random:
        (images + threat.ball.random(images.shape, generator).contiguous(.channelsLast)).clamped(0, 1) - images
      }
    }
  }

  // Not clamped here: in exact arithmetic it is inside already, and rounding must not cut the gradient of pixels on the
  // border.
  func apply(to base: Tensor) -> Tensor { base + variable }
  func step(_ gradient: Tensor, base: Tensor) {
    variable =
      threat.step(from: base + variable.detach(), around: base, along: gradient).contiguous(.channelsLast) - base
  }
  func finish(_ base: Tensor) -> Tensor { (base + variable.detach()).clamped(0, 1) }
}
