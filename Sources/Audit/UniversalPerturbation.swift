// A universal perturbation towards each class: one d with |d|_inf at most epsilon, added to every image and clipped to
// [0, 1], that carries as many images of other classes to the class as possible (Moosavi-Dezfooli, Fawzi, Fawzi,
// Frossard: Universal Adversarial Perturbations, CVPR 2017, towards a target). A trigger that is spread over the image,
// such as a blended pattern, leaves a direction in which a small change suffices.
//
// Steps go along the sign of the gradient of sum_i log p_t(clip(x_i + d)), as in projected gradient ascent, and fall
// linearly to 0.

import Torch
import Training
import Vision

struct UniversalPerturbation {
  /// Largest change of a pixel, of [0, 1].
  let epsilon: Double
  let steps: Int
  /// The first step, of epsilon.
  let step: Double
  let batch: Int

  /// The perturbations of K classes (nil: all), found on these images: K x C x H x W in [-epsilon, epsilon].
  func search(
    _ model: Classifier, _ images: ImageDataset, classes: [Int]? = nil, _ context: TrainingContext
  ) throws
    -> Tensor
  {
    let size = images.channels * images.height * images.width
    let groups = ClassGroups.groups(
      of: classes ?? Array(0..<model.classes), rows: min(batch, images.count), pixels: size)
    let work = SearchProgress(
      "universal perturbations", steps: steps, groups: groups, passes: Double(min(batch, images.count)), context)
    defer { work.end() }
    let order = SearchBatches(count: images.count, size: batch, steps: steps, stream: "audit/perturbation", context)
    var found: [Tensor] = []
    for group in groups {
      let pass = TargetedPass(model: model, targets: group, context: context)
      var change = Tensor.zeros([group.count, images.channels, images.height, images.width], device: context.device)
      for (number, positions) in order.positions.enumerated() {
        change = stepped(change, number, pass, images.pixels(at: positions), sources: images.labels[positions])
        try work.step(group)
      }
      found.append(change)
    }
    return noGrad { .concatenated(found) }
  }

  /// One step on pixels B x C x H x W from perturbations T x C x H x W.
  func stepped(_ change: Tensor, _ number: Int, _ pass: TargetedPass, _ pixels: Tensor, sources: Tensor) -> Tensor {
    let moved = noGrad { pixels.unsqueezed(0) + change.unsqueezed(1) }
    let gradient = pass.gradient(at: noGrad { moved.clamped(0, 1) }, sources: sources)
    return noGrad {
      // Where clipping acts, the image does not follow the perturbation.
      let follows = (moved .>= 0 .& (moved .<= 1)).to(.float32)
      let direction = (gradient * follows).sum([1]).sign()
      let length = step * epsilon * (1 - Double(number) / Double(steps))
      return (change + direction * length).clamped(-epsilon, epsilon)
    }
  }

  /// Images with the perturbations: T x B x C x H x W.
  static func add(_ change: Tensor, to images: Tensor) -> Tensor {
    (images.unsqueezed(0) + change.unsqueezed(1)).clamped(0, 1)
  }
}
