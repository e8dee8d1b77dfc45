// Perceptual adversarial examples (Laidlaw, Singla, Feizi, Perceptual Adversarial Robustness: Defense against Unseen
// Threat Models, ICLR 2021), self-bounded, by the fast Lagrangian attack (their algorithm 2), as perceptual adversarial
// training uses them (Gao et al. 2022).
//
// phi(x): the outputs of the attacked model's own stages, each divided at every place by the length of its channels,
// and by sqrt(H W); d(x, x') = |phi(x) - phi(x')|. T steps t = 0, 1, ..., each
//   up the gradient of  margin - lambda relu(d - bound),  lambda = 10 * .1^(1 - t/T), which rises from 1 to 10, along
//   its direction g of length 1, so far that d changes by about bound * .1^(t/T): that over |phi(x') - phi(x' + .1 g)|
//   / .1, and into [0, 1].
// From the authors' code: the start is Gaussian noise of deviation .01, because d has no gradient at the image itself.
// Nothing forces d under the bound in the end; the rising lambda holds it near. `projections` halves the perturbation
// towards the bound instead of trusting that. In a joint search T is the number of steps that are taken together, so
// that the schedule ends where the search does.

import Foundation
public import Support
public import Torch
import TorchNN
import Training
public import Vision

/// A ball in the space of the model's own features.
public struct PerceptualThreat: IterativeThreat, Configurable {
  public var bound = 0.5
  public var steps = 10
  public var startDeviation = 0.01
  public var projections = 0
  public var loss = AttackLoss.margin

  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "bound", "Largest distance in the model's normalised features.", range: 0...1000, source: "paper: .1 to .5"),
    Setting(
      "steps", "Gradient steps, two forward passes each.", unit: "steps", range: 1...1000,
      source: "Laidlaw et al. 2021: 10 in training"),
    Setting(
      "startDeviation", "Standard deviation of the noise that the search starts from.", unit: "pixels in [0,1]",
      range: 0...1,
      source: "Laidlaw et al.'s code"),
    Setting(
      "projections",
      "Looks that bring the result inside the bound, the first at all of it, the others bisecting; 0 trusts the rising "
        + "penalty.",
      unit: "forward passes",
      range: 0...64,
      source: "Laidlaw et al. 2021: none in training"),
    Setting(
      "loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue),
      source: "Laidlaw et al. 2021: margin"),
  ]

  public func begin(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator, steps: Int)
    -> any ThreatSearch
  {
    begin(images, attacked, from: generator.normal(images.shape) * startDeviation, steps: steps)
  }

  /// A search from a given perturbation.
  public func begin(_ images: Tensor, _ attacked: AttackedModel, from start: Tensor, steps: Int) -> any ThreatSearch {
    Search(self, start: start, images, attacked, steps: steps)
  }

  private final class Search: ThreatSearch {
    private let threat: PerceptualThreat
    private let attacked: AttackedModel
    /// T of the schedule.
    private let steps: Int
    private(set) var variable: Tensor
    private var taken = 0
    private var reference: (image: Tensor, phi: PerceptualFeatures)?
    private var current: PerceptualFeatures?

    init(_ threat: PerceptualThreat, start: Tensor, _ images: Tensor, _ attacked: AttackedModel, steps: Int) {
      self.threat = threat
      self.steps = steps
      self.attacked = attacked
      variable = noGrad { start.contiguous(.channelsLast) }
    }

    func apply(to base: Tensor) -> Tensor { base + variable }

    func penalty(base: Tensor, changed: Tensor, features: Features?) -> Tensor? {
      let phi = features.map { PerceptualFeatures($0) } ?? phi(changed)
      current = phi
      let lambda = 10 * pow(0.1, 1 - Double(taken) / Double(steps))
      return (phi.distance(to: reference(base)) - threat.bound).relu() * lambda
    }

    func step(_ gradient: Tensor, base: Tensor) {
      let here = variable.detach()
      let direction = gradient / (gradient.norm(2, [1, 2, 3], keep: true) + 1e-8)
      guard let current else { fatalError("PerceptualThreat: step before penalty") }
      let slope = current.distance(to: phi(base + here + direction * 0.1)) / 0.1
      self.current = nil
      let length = threat.bound * pow(0.1, Double(taken) / Double(steps))
      let moved = base + here + direction * (length / (slope + 1e-8)).reshaped(-1, 1, 1, 1)
      variable = moved.clamped(0, 1) - base
      taken += 1
    }

    func finish(_ base: Tensor) -> Tensor {
      let delta = variable.detach()
      guard threat.projections > 0 else { return (base + delta).clamped(0, 1) }
      // The largest share of the perturbation that was seen inside the bound; nothing at all is inside.
      let origin = reference(base)
      var inside = Tensor.zeros([base.dimension(0), 1, 1, 1], device: base.device)
      var outside = Tensor.ones(like: inside)
      var share = outside
      for _ in 0..<threat.projections {
        let distance = phi((base + delta * share).clamped(0, 1)).distance(to: origin).reshaped(-1, 1, 1, 1)
        let fits = distance .<= threat.bound
        inside = Tensor.where(fits, share, inside)
        outside = Tensor.where(fits, outside, share)
        share = (inside + outside) / 2
      }
      return (base + delta * inside).clamped(0, 1)
    }

    private func phi(_ images: Tensor) -> PerceptualFeatures {
      PerceptualFeatures(attacked.context.compute { attacked.model.features(images) })
    }
    /// Of the images that are changed; they stay the same unless another search moves them.
    private func reference(_ base: Tensor) -> PerceptualFeatures {
      if let reference, reference.image === base { return reference.phi }
      let features = noGrad { phi(base.detach()) }
      reference = (base, features)
      return features
    }
  }
}

/// A model's stage outputs as a space in which distances mean what people see: divided at each place by the length of
/// the channels.
public struct PerceptualFeatures {
  /// B x C x H x W each, float32.
  let stages: [Tensor]

  public init(_ features: Features) {
    stages = features.stages.map { stage in
      let stage = stage.to(.float32)
      return stage / (stage.norm(2, [1], keep: true) + 1e-10)
    }
  }

  /// |phi - phi'|, B. Its gradient is 0 where the two are equal.
  public func distance(to other: PerceptualFeatures) -> Tensor {
    let parts = zip(stages, other.stages).map { a, b in
      (a - b).norm(2, [1, 2, 3]) / Double(a.dimension(2) * a.dimension(3)).squareRoot()
    }
    return Tensor.stacked(parts, 1).norm(2, [1])
  }
}
