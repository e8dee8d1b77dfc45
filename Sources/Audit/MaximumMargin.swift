// The largest margin of each class, the statistic of MM-BD (Wang, Xiang, Miller, Kesidis: MM-BD: Post-Training Detection
// of Backdoor Attacks with Arbitrary Backdoor Pattern Types Using a Maximum Margin Statistic, IEEE S&P 2024, section
// 4.2): r_t is the maximum over images x in [0, 1] of z_t(x) - max_{j != t} z_j(x), from several uniform random starts.
// It needs no data. A backdoor lets its target's logit grow beyond what clean features reach.
//
// The authors climb by SGD at a fixed rate until the margin hardly grows; here steps go along the gradient's sign and
// fall linearly to 0, so that the result does not depend on the scale of the logits' gradient, and the largest margin on
// the way counts. Published is a test that compares the classes of one model, by a fitted gamma distribution. Classes
// differ in clean models too: the audit compares log r_t with the same class of clean models.

import Foundation
import Torch
import Training
import Vision

struct MaximumMargin {
  let starts: Int
  let steps: Int
  /// Of the first step, in each pixel.
  let step: Double
  /// The log of smaller margins would say nothing.
  static let least = 0.01

  /// log max(r_t, 0.01) of each class.
  /// - Parameter classes: nil takes all.
  func values(
    _ model: Classifier, channels: Int, height: Int, width: Int, classes: [Int]? = nil,
    _ context: TrainingContext
  ) throws -> [Double] {
    let groups = ClassGroups.groups(
      of: classes ?? Array(0..<model.classes), rows: starts, pixels: channels * height * width)
    let work = SearchProgress("largest margins", steps: steps, groups: groups, passes: Double(starts), context)
    defer { work.end() }
    var values: [Double] = []
    for group in groups {
      // A stream for each class: the groups change nothing.
      let random = group.map { context.generator("audit/margin", $0).uniform([starts, channels, height, width]) }
      values += try largest(model, from: Tensor.stacked(random), targets: group, context) {
        try work.step(group)
      }
    }
    return values.map { Foundation.log(max($0, Self.least)) }
  }

  /// r_t of the targets, over starts T x S x C x H x W in [0, 1].
  func largest(
    _ model: Classifier, from starts: Tensor, targets: [Int], _ context: TrainingContext, onStep: () throws -> Void = {}
  ) throws -> [Double] {
    let pass = TargetedPass(model: model, targets: targets, context: context)
    var x = starts
    var largest = Tensor.full([targets.count], -.infinity, device: context.device)
    for number in 0..<steps {
      let leaf = x.detach().requiresGrad_()
      let reached = withGrad { pass.margins(at: leaf) }
      let direction = gradient(of: reached.sum(), at: leaf).sign()
      noGrad {
        largest = largest.maximum(reached.detach().max([1]))
        x = (x + direction * (step * (1 - Double(number) / Double(steps)))).clamped(0, 1)
      }
      try onStep()
    }
    return noGrad { largest.maximum(pass.margins(at: x).max([1])).array(Float.self).map(Double.init) }
  }
}
