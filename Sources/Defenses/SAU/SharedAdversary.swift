// The inner maximisation of SAU (Wei et al. 2023, section 3.3, the constraint of equation 13): perturbations that
// mislead the student and the reference alike, by L_adv (equation 10) and L_share (equation 11). Appendix A.4 has one
// perturbation for all images, A.5 a known target.
//
// The authors' code differs from the equations, and the default follows it: L_adv is summed over the samples that are
// not misled yet, L_share over those that are not shared yet, and the loop ends when all are. `innerSamples: all` is
// the equations. Also from the code: x + d not clamped, the start at the ball's corner, the L1 ball by rescaling. Both
// networks in evaluation mode is the fixed BatchNorm of appendix C.2. Algorithm 1 (appendix B) steps along the
// gradient's sign in every norm. Clean predictions do not change inside the loop, so they are computed once; only
// input gradients are computed.
//
// With a target, samples of that class have no part in the objective: the risks of A.5 are over the other classes. The
// vanilla objective then lowers the cross entropy towards the target in place of raising the one of the labels
// (equation 17).

import Backdoor
public import Torch
import TorchNN
public import Training
public import Vision

/// The words of the inner maximisation's settings.
public enum SharedAdversary {
  public enum Objective: String, Codable, Sendable, CaseIterable {
    /// Examples that fool student and reference into the same class: part A of the paper's ablation.
    case shared
    /// Examples that fool the student: part C, the maximisation of adversarial training.
    case vanilla
  }
  public enum Start: String, Codable, Sendable, CaseIterable {
    /// +radius everywhere, projected.
    case max
    /// -radius everywhere, projected.
    case min
    case zero
    /// U[0, 1) in every pixel, projected: in an L_inf ball of .2 four pixels of five are at +radius, the others spread
    /// below.
    case random
    /// U(-radius, radius) in every pixel, projected.
    case uniform
  }
  public enum Samples: String, Codable, Sendable, CaseIterable {
    /// A sample leaves L_adv when it is misled, and L_share when it is shared.
    case open
    /// Every sample counts in every step: equations 10 and 11 as published.
    case all
  }
  public enum StepRule: String, Codable, Sendable, CaseIterable {
    /// The gradient's sign, whatever the norm: the paper's algorithm 1.
    case sign
    /// The norm's own direction of steepest ascent.
    case steepest
  }

  /// What one inner iteration saw, for tests and for looking closely.
  public struct Trace {
    public var predictions: Tensor
    public var referencePredictions: Tensor
    public var shared: Tensor
    public var objective: Tensor
    public var gradient: Tensor
    public var delta: Tensor
  }
}

extension UnlearningSettings {
  /// Perturbations for a batch, B x C x H x W (1 x C x H x W if universal), without graph.
  /// - Parameters:
  ///   - images: pixels, B x C x H x W; labels: int64 B.
  ///   - clean: the student's and the reference's predicted classes on `images`, int64 B.
  ///   - given: a starting point instead of `start`.
  ///   - observe: called after each iteration.
  public func perturb(
    _ images: Tensor, labels: Tensor, student: Classifier, reference: Classifier,
    clean: (student: Tensor, reference: Tensor),
    context: TrainingContext, generator: Generator, from given: Tensor? = nil,
    observe: ((SharedAdversary.Trace) -> Void)? = nil
  ) -> Tensor {
    student.withFrozenParameters {
      reference.withFrozenParameters {
        let ball = norm.ball(radius, l1: l1Projection)
        var delta = kept(given ?? starting(ball, images, generator), images)
        for _ in 0..<steps {
          delta.requiresGrad_()
          let value = context.compute {
            evaluate(delta: delta, images: images, labels: labels, student: student, reference: reference, clean: clean)
          }
          guard let value else { break }
          let gradient = gradient(of: value.objective, at: delta)
          let next = noGrad { () -> Tensor in
            let direction = stepRule == .sign ? gradient.sign() : ball.direction(gradient)
            let moved = ball.project(delta.detach() + direction * stepSize)
            return kept(moved, images)
          }
          observe?(
            SharedAdversary.Trace(
              predictions: value.predictions, referencePredictions: value.referencePredictions, shared: value.shared,
              objective: value.objective.detach(), gradient: gradient, delta: next))
          delta = next
        }
        return delta.detach()
      }
    }
  }

  /// The perturbations with images inside [0, 1], where these are asked for. For a universal one no clamp keeps every image
  /// there: it is applied to each sum instead.
  private func kept(_ delta: Tensor, _ images: Tensor) -> Tensor {
    clamp && !universal ? (images + delta).clamped(0, 1) - images : delta
  }

  private func starting(_ ball: any PerturbationSet, _ images: Tensor, _ generator: Generator) -> Tensor {
    var shape = images.shape
    if universal { shape[0] = 1 }
    func projected(_ values: Tensor) -> Tensor {
      let delta = ball.project(values)
      return images.isContiguous(.channelsLast) ? delta.contiguous(.channelsLast) : delta
    }
    return switch start {
    case .max: projected(Tensor.full(shape, radius, device: images.device))
    case .min: projected(Tensor.full(shape, -radius, device: images.device))
    case .zero: projected(Tensor.zeros(shape, device: images.device))
    case .random: projected(generator.uniform(shape, 0, 1))
    case .uniform: ball.random(shape, generator)
    }
  }

  private typealias Value = (objective: Tensor, predictions: Tensor, referencePredictions: Tensor, shared: Tensor)

  /// The objective to ascend; nil when no sample is left to work on.
  private func evaluate(
    delta: Tensor, images: Tensor, labels: Tensor, student: Classifier, reference: Classifier,
    clean: (student: Tensor, reference: Tensor)
  ) -> Value? {
    let perturbed = clamp && universal ? (images + delta).clamped(0, 1) : images + delta
    let count = Double(images.dimension(0))
    let z = student(perturbed)
    let prediction = noGrad { z.argmax(1) }
    // The classes to leave or, with a target, to reach: then the cross entropy is to fall.
    let active = target.map { labels .!= Double($0) }
    let goal =
      target.map { Tensor.full([images.dimension(0)], Double($0), dtype: .int64, device: images.device) } ?? labels
    let sign = target == nil ? 1.0 : -1.0
    if inner == .vanilla {
      let loss =
        active.map { (F.crossEntropy(z, goal, reduction: .none) * $0.to(.float32)).sum() * (sign / count) }
        ?? F.crossEntropy(z, labels)
      let none = noGrad { prediction .!= prediction }
      return (loss, prediction, prediction, none)
    }
    let zr = reference(perturbed)
    let (predictionR, shared, work, workR, open) = noGrad { () -> (Tensor, Tensor, Tensor, Tensor, Tensor) in
      let predictionR = zr.argmax(1)
      let all = active ?? (labels .== labels)
      let (fooled, fooledR) =
        target.map { (all .& (prediction .== Double($0)), all .& (predictionR .== Double($0))) }
        ?? (prediction .!= clean.student, predictionR .!= clean.reference)
      let shared = fooled .& fooledR .& (prediction .== predictionR)
      switch innerSamples {
      case .all: return (predictionR, shared, all, all, all)
      case .open: return (predictionR, shared, all .& .!fooled, all .& .!fooledR, all .& .!shared)
      }
    }
    guard noGrad({ open.any().intItem() }) != 0 else { return nil }
    let loss =
      (F.crossEntropy(z, goal, reduction: .none) * work.to(.float32) + F.crossEntropy(zr, goal, reduction: .none)
      * workR.to(.float32))
      .sum() * (sign * 0.5 / count)
    let divergence = (F.jsDivergence(F.softmax(z, 1), F.softmax(zr, 1)) * open.to(.float32)).sum() / count
    return (loss * lambda3 - divergence * lambda4, prediction, predictionR, shared)
  }
}
