// Projected gradient descent (Madry et al. 2018) in an L_inf, L2 or L1 ball around each image, cut with [0, 1]. As in Gao et al. 2022: random
// start, steps of radius / 4 along the norm's steepest direction. The paper gives no number of steps: 10 [decided here]. One step of the
// radius from the image itself is FGSM (Goodfellow et al., Explaining and Harnessing Adversarial Examples, 2015).

public import Torch
import Vision

public struct LpThreat: IterativeThreat {
  public enum Start: String, Codable, Sendable, CaseIterable {
    /// A random point of the ball.
    case random
    /// The image.
    case zero
  }

  public var ball: any PerturbationSet
  public var steps: Int
  /// Length of a step in the ball's norm, in pixels.
  public var stepSize: Double
  public var start: Start
  public var loss: AttackLoss

  public init(
    _ ball: any PerturbationSet, steps: Int = 10, stepSize: Double? = nil, start: Start = .random, loss: AttackLoss = .crossEntropy
  ) {
    self.ball = ball
    self.steps = steps
    self.stepSize = stepSize ?? ball.radius / 4
    self.start = start
    self.loss = loss
  }

  /// The fast gradient sign method: one step of length `radius` from the image, each image along its own gradient.
  public static func fgsm(radius: Double) -> LpThreat { LpThreat(LinfBall(radius: radius), steps: 1, stepSize: radius, start: .zero) }

  /// One step for those who have a gradient already: images that moved from `current` along the steepest direction of `gradient` and back
  /// into the ball around `images` and into [0, 1]. Image by image; an image without gradient stays where it is.
  public func step(from current: Tensor, around images: Tensor, along gradient: Tensor) -> Tensor {
    let moved = ball.project(current - images + ball.direction(gradient) * stepSize)
    return (images + moved).clamped(0, 1)
  }

  public func begin(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> any ThreatSearch {
    Search(self, images, generator)
  }

  private final class Search: ThreatSearch {
    private let threat: LpThreat
    private(set) var variable: Tensor

    init(_ threat: LpThreat, _ images: Tensor, _ generator: Generator) {
      self.threat = threat
      variable = noGrad {
        switch threat.start {
        case .zero: Tensor.zeros(like: images)
        case .random:
          (images + threat.ball.random(images.shape, generator).contiguous(.channelsLast)).clamped(0, 1) - images
        }
      }
    }

    // Not clamped here: in exact arithmetic it is inside already, and rounding must not cut the gradient of pixels on the border.
    func apply(to base: Tensor) -> Tensor { base + variable }
    func step(_ gradient: Tensor, base: Tensor) {
      variable = threat.step(from: base + variable.detach(), around: base, along: gradient).contiguous(.channelsLast) - base
    }
    func finish(_ base: Tensor) -> Tensor { (base + variable.detach()).clamped(0, 1) }
  }
}
