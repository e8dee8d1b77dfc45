// The inner maximisation of SAU (Wei et al. 2023, section 4, equation 12): perturbations that mislead the student and
// the reference alike.
//
// What the paper leaves out is from its authors' code: both networks in evaluation mode, x + d not clamped, samples
// that are shared drop out of the objective, the start at the ball's corner. Algorithm 1 steps along the gradient's
// sign in every norm. Clean predictions do not change inside the loop, so they are computed once; only input gradients
// are computed.

public import Backdoor
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
    case zero, random
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
        let ball = norm.ball(radius)
        var delta = given ?? starting(ball, images, generator)
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
            // For a universal perturbation no clamp keeps every image inside the box: it is applied to each sum
            // instead.
            return clamp && !universal ? (images + moved).clamped(0, 1) - images : moved
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

  private func starting(_ ball: any PerturbationSet, _ images: Tensor, _ generator: Generator) -> Tensor {
    var shape = images.shape
    if universal { shape[0] = 1 }
    func constant(_ value: Double) -> Tensor {
      let delta = ball.project(Tensor.full(shape, value, device: images.device))
      return images.isContiguous(.channelsLast) ? delta.contiguous(.channelsLast) : delta
    }
    return switch start {
    case .max: constant(radius)
    case .min: constant(-radius)
    case .zero: constant(0)
    case .random: ball.random(shape, generator)
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
    if inner == .vanilla {
      let loss = F.crossEntropy(z, labels)
      let none = noGrad { prediction .!= prediction }
      return (loss, prediction, prediction, none)
    }
    let zr = reference(perturbed)
    let (predictionR, shared, work, workR, open) = noGrad { () -> (Tensor, Tensor, Tensor, Tensor, Tensor) in
      let predictionR = zr.argmax(1)
      if let target {
        let active = labels .!= Double(target)
        let fooled = active .& (prediction .== Double(target))
        let fooledR = active .& (predictionR .== Double(target))
        let shared = fooled .& fooledR
        let inactive = labels .== Double(target)
        return (predictionR, shared, active .& .!fooled, active .& .!fooledR, .!(shared .| inactive))
      }
      let fooled = prediction .!= clean.student
      let fooledR = predictionR .!= clean.reference
      let shared = fooled .& fooledR .& (prediction .== predictionR)
      return (predictionR, shared, .!fooled, .!fooledR, .!shared)
    }
    guard noGrad({ open.any().intItem() }) != 0 else { return nil }
    let goal =
      target.map { Tensor.full([images.dimension(0)], Double($0), dtype: .int64, device: images.device) } ?? labels
    let loss =
      (F.crossEntropy(z, goal, reduction: .none) * work.to(.float32) + F.crossEntropy(zr, goal, reduction: .none)
      * workR.to(.float32))
      .sum() * (target == nil ? 0.5 / count : -0.5 / count)
    let divergence = (F.jsDivergence(F.softmax(z, 1), F.softmax(zr, 1)) * open.to(.float32)).sum() / count
    return (loss * lambda3 - divergence * lambda4, prediction, predictionR, shared)
  }
}
