import TestSupport
import Testing
import Torch
import TorchNN

/// Losses against Python torch: values and gradients of both inputs.
@Suite struct LossGoldenTests {
  private let labels = Tensor([1, 0, 3, 4] as [Int64])
  private let weight = 1 + 0.5 * pattern([5], 0.1)
  private let target = imagePattern([4, 5], 0.2)

  @Test(arguments: Golden.cases("losses")) func agrees(_ name: String) throws {
    let golden = try Golden("losses")
    let settings = golden.settings(of: name)
    let logits = pattern([4, 5], 0.5, 2).requiresGrad_()
    let other = pattern([4, 5], 0.9, 2).requiresGrad_()
    let value = try #require(try loss(name, settings, logits, other), "no test for \(name)")
    expectClose(value, try golden.tensor("\(name)/value"), "value")
    let found = gradientsIfAny(of: [value.rank == 0 ? value : weightedSum(value)], at: [logits, other])
    expectClose(try #require(found[0]), try golden.tensor("\(name)/grad_logits"), "grad_logits")
    if let expected = golden.tensorIfAny("\(name)/grad_other") {
      expectClose(try #require(found[1]), expected, "grad_other")
    }
  }

  private func loss(_ name: String, _ settings: JSON, _ a: Tensor, _ b: Tensor) throws -> Tensor? {
    let reductions: [String: F.Reduction] = ["none": .none, "mean": .mean, "sum": .sum]
    let reduction = try #require(reductions[settings["reduction"].string ?? ""])
    switch settings["kind"].string {
    case "cross_entropy":
      let smoothing = settings["label_smoothing"].double ?? 0
      if settings["target"].string != nil { return F.crossEntropy(a, F.softmax(b, 1)) }
      // LibTorch's own mark for samples that do not count.
      let ignored = settings["ignore_index"].int.map { labels.filled(where: labels .== Double($0), with: -100) }
      return F.crossEntropy(
        a, ignored ?? labels, weight: settings["weight"].string == nil ? nil : weight, reduction: reduction,
        labelSmoothing: smoothing)
    case "mse": return F.mseLoss(a, b, reduction: reduction)
    case "js_divergence":
      let factor = name.hasSuffix("clamped") ? 20.0 : 1
      return F.jsDivergence(F.softmax(factor * a, 1), F.softmax(factor * b, 1))
    case "bce_with_logits": return F.binaryCrossEntropyWithLogits(a, target, reduction: reduction)
    default: return nil
    }
  }
}
