import TestSupport
import Testing
import Torch
import Training

/// Losses for wrong labels against `make_robust_losses.py`.
@Suite struct RobustLossTests {
  private let labels = Tensor([1, 0, 3, 2, 1] as [Int64])

  @Test(arguments: Golden.cases("robust_losses")) func agrees(_ name: String) throws {
    let golden = try Golden("robust_losses")
    let settings = golden.settings(of: name)
    let loss = RobustLoss(try #require(RobustLoss.Kind(rawValue: settings["kind"].string ?? "")))
    let logits = pattern([5, 4], 0.5, try #require(settings["scale"].double)).requiresGrad_()
    let value = loss(logits, labels)
    expectClose(value, try golden.tensor("\(name)/value"), tolerance: 2e-5, "value")
    expectClose(loss.mean(logits, labels), try golden.tensor("\(name)/mean"), tolerance: 2e-5, "mean")
    expectClose(
      gradient(of: weightedSum(value), at: logits), try golden.tensor("\(name)/grad"), tolerance: 1e-4, "gradient")
  }

  /// Uniform predictions of four classes, by hand.
  @Test func byHand() {
    let (logits, label) = (Tensor.zeros([1, 4]), Tensor([2] as [Int64]))
    let (log4, log10000) = (1.3862943611, 9.2103403720)
    expectClose(RobustLoss(.ce)(logits, label).item(), log4)
    expectClose(RobustLoss(.sce)(logits, label).item(), 0.1 * log4 + 0.75 * log10000)
    expectClose(RobustLoss(.gce)(logits, label).item(), (1 - 0.3789291416) / 0.7)
    expectClose(RobustLoss(.apl)(logits, label).item(), 0.25 + 0.75 * log10000)
    // A certain prediction: three probabilities of 0 count as 1e-7 each.
    let certain = RobustLoss.reverse(Tensor([0, 0, 200, 0] as [Float], shape: [1, 4]), label)
    expectClose(certain.item(), 3e-7 * log10000, tolerance: 1e-3, floor: 1e-9)
    var weighted = RobustLoss(.sce)
    (weighted.alpha, weighted.beta) = (2, 0.5)
    expectClose(weighted(logits, label).item(), 2 * log4 + 0.375 * log10000)
    var absolute = RobustLoss(.gce)
    absolute.q = 1
    expectClose(absolute(logits, label).item(), 0.75)
  }
}

/// The split by losses: disjoint, whole, of exact size, the smallest first.
@Suite struct CredibleSplitTests {
  @Test(arguments: [(10, 0.5, 5), (7, 0.5, 3), (9, 0.3, 2), (4, 0.001, 0), (5, 0.999, 4), (6, 1, 6)])
  func sizes(_ count: Int, _ share: Double, _ credible: Int) {
    let losses = Generator(seed: 1).uniform([count])
    let split = CredibleSplit(losses: losses, share: share)
    let (kept, rest) = (split.credible.array(Int64.self), split.other.array(Int64.self))
    #expect(kept.count == credible && (kept + rest).sorted() == (0..<count).map(Int64.init))
    let values = losses.array(Float.self)
    let largest = kept.map { values[Int($0)] }.max()
    #expect(split.threshold.map { Float($0) } == largest)
    if let largest { #expect(rest.allSatisfy { values[Int($0)] >= largest }) }
    let means = split.means()
    expectClose(
      means.credible.item() * Double(credible) + means.other.item() * Double(count - credible), losses.sum().item(),
      tolerance: 1e-5)
  }

  @Test func byHand() {
    let split = CredibleSplit(losses: Tensor([3, 1, 2, 1, 5, 0] as [Float]), share: 0.5)
    #expect(split.credible.array(Int64.self) == [5, 1, 3] && split.other.array(Int64.self) == [2, 0, 4])
    #expect(split.threshold == 1)
    let ties = CredibleSplit(losses: Tensor.ones([6]), share: 0.5)
    #expect(ties.credible.array(Int64.self) == [0, 1, 2], "of equal losses the earlier sample")
  }

  /// Class 0 has positions 0, 1, 4, 5 and class 1 positions 2, 3, 6: two of the first and one of the second are half of
  /// each.
  @Test func withinClasses() {
    let losses = Tensor([9, 8, 1, 2, 7, 6, 3] as [Float])
    let split = CredibleSplit(losses: losses, share: 0.5, within: Tensor([0, 0, 1, 1, 0, 0, 1] as [Int64]))
    #expect(split.credible.array(Int64.self) == [2, 5, 4], "the smallest of each class, the smallest of all first")
    #expect(split.other.array(Int64.self) == [3, 6, 1, 0])
    #expect(split.threshold == nil)
    let one = CredibleSplit(losses: losses, share: 0.5, within: Tensor.zeros([7], dtype: .int64))
    expectSame(one.credible, CredibleSplit(losses: losses, share: 0.5).credible, "one class is the whole set")
  }
}
