import Backdoor
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Audit

/// Which classes are measured within a budget of time, with a clock that the test moves.
@Suite struct ClassHalvingTests {
  private final class Clock {
    var now = 0.0
  }

  /// 100 classes of 800 passes each in full, at 1,000 passes a second; class k is promising if it is divisible by 7.
  private func choose(budget: Double, slower: Double = 1, classes: Int = 100) -> (
    chosen: [Int], rounds: [ClassHalving.Round], measured: [[Int]], seconds: Double
  ) {
    let clock = Clock()
    let halving = ClassHalving(AuditSettings(), quick: false, budget: budget) { clock.now }
    var measured: [[Int]] = []
    let (chosen, rounds) = halving.choose(
      Array(0..<classes), cost: { 800 / Double($0) }, speed: 1000,
      round: { classes, divisor in
        clock.now += Double(classes.count) * 800 / Double(divisor) / 1000 * slower
        measured.append(classes)
        return classes.map { $0 % 7 == 0 ? 100 - Double($0) : 0 }
      })
    return (chosen, rounds, measured, clock.now + Double(chosen.count) * 0.8 * slower)
  }

  @Test func allClassesWhereTimeSuffices() {
    let found = choose(budget: 81)
    #expect(found.chosen == Array(0..<100) && found.rounds.isEmpty)
  }

  @Test func theBestClassesWhereItDoesNot() {
    // An eighth of 80 s is 10 s; what is left suffices for 25 of the better 50, and another round for 10 s of 20.
    let found = choose(budget: 30)
    #expect(found.rounds.map(\.classes) == [100, 50] && found.rounds.map(\.divisor) == [8, 4])
    #expect(found.measured[1].prefix(15) == Array(stride(from: 0, to: 100, by: 7))[...])
    #expect(found.chosen.count == 12 && found.chosen == Array(stride(from: 0, to: 84, by: 7)))
    #expect(found.seconds <= 30)
  }

  /// More than half of the classes go on where they fit.
  @Test func roundsEndWhenTheRestFits() {
    let found = choose(budget: 70)
    #expect(found.rounds.map(\.classes) == [100] && found.chosen.count == 75 && found.seconds <= 70)
  }

  /// A machine that becomes slower is noticed; one class is measured whatever the budget.
  @Test func speedIsMeasuredAgain() {
    let slow = choose(budget: 30, slower: 2)
    #expect(slow.rounds.map(\.classes) == [100] && slow.chosen.count == 6 && slow.seconds <= 30)
    let none = choose(budget: 1)
    #expect(none.rounds.map(\.classes) == [100] && none.chosen == [0])
    #expect(choose(budget: 0.5, classes: 1).chosen == [0])
  }

  @Test func stepsAreDivided() {
    let s = ClassHalving(AuditSettings(), quick: false, budget: 1) { 0 }.shortened(by: 8)
    #expect(s.marginSteps == 6 && s.patchSteps == 3 && s.perturbationSteps == 5)
    #expect(s.starts == 10 && s.batch == 32 && s.patchShare == 0.012)
  }

  /// A class that stands out in one statistic comes first, whatever fewer steps took from all classes.
  @Test func ranksAreStandardized() {
    func statistics(_ margin: [Double], _ patch: [Double], _ labels: [Int]? = nil) -> ClassStatistics {
      ClassStatistics(
        margin: margin, patch: patch, patchSuccess: patch.map { $0 / 100 }, perturbation: nil, perturbationSuccess: nil,
        counts: patch.map { _ in 10 }, labels: labels)
    }
    // Means 0, 10, 20 and 5, 5, 5; deviations 1 everywhere.
    let bank = [
      statistics([-1, 9, 19], [4, 4, 4]), statistics([0, 10, 20], [5, 5, 5]), statistics([1, 11, 21], [6, 6, 6]),
    ]
    let found = statistics([-7, 6, 14], [1, 1, 2])
    let ranks = ClassHalving.ranks(found, bank: bank, statistics: [.margin, .patch])
    #expect(ranks == [0, 2, 1])
    let part = ClassHalving.ranks(statistics([6, 14], [1, 2], [1, 2]), bank: bank, statistics: [.margin, .patch])
    #expect(part == [0, 0])
    #expect(ClassHalving.ranks(found, bank: nil, statistics: []) == [0.01 + 1e-4, 0.01 + 1e-4, 0.02 + 2e-4])
  }

  /// What is measured of a class does not depend on which others are measured, and a round's images are not held out.
  @Test func classesAreMeasuredApart() throws {
    let context = TrainingContext(precision: .float32, seed: 4)
    let data = ImageDataset.tiny(count: 24, size: 16, classes: 5)
    let model = try Classifier.tiny(for: data, kind: "cnn", width: 2).eval()
    var settings = AuditSettings()
    (settings.starts, settings.marginSteps, settings.patchSteps, settings.perturbationSteps) = (
      2, 2, 2, 2
    )
    settings.batch = 4
    let images = try AuditImages(data, model: model, most: 24, context: context)
    let all = try AuditMeasurement(model, images, settings, context: context)
    let some = try AuditMeasurement(model, images, settings, classes: [1, 4], context: context)
    let (a, b) = (all.statistics, some.statistics)
    #expect(
      b.labels == [1, 4] && b.place(of: 4) == 1 && b.place(of: 0) == nil
        && a.measured == Array(0..<5))
    for (place, label) in [1, 4].enumerated() {
      expectClose(b.margin[place], a.margin[label], tolerance: 1e-4)
      expectClose(b.patch[place], a.patch[label], tolerance: 1e-4)
      expectClose(
        try #require(b.perturbation)[place], try #require(a.perturbation)[label], tolerance: 1e-4)
      #expect(b.counts[place] == a.counts[label] && b.patchSuccess[place] == a.patchSuccess[label])
      expectClose(try #require(some.patches[label]).mask, try #require(all.patches[label]).mask)
    }
    #expect(some.patches.count == 2 && some.perturbations?.keys.sorted() == [1, 4])
    let screening = images.screening
    #expect(screening.heldOut.count == 12)
    expectSame(screening.heldOut.images, images.search.images)

    // The whole of a choice: no time at all, and a class that the rank prefers.
    let halving = ClassHalving(settings, quick: true, budget: 1e-9, elapsed: { 1 })
    let choice = try halving.classes(of: model, images, context: context) { s in
      #expect(s.measured.count == 5 && s.perturbation == nil)
      return s.measured.map { $0 == 3 ? 1 : 0 }
    }
    #expect(choice.chosen == [3] && choice.rounds == [ClassHalving.Round(classes: 5, divisor: 8)])
  }
}
