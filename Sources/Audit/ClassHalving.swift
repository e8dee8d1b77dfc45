// Which of many classes are measured in full within a budget of time: successive halving (Karnin, Koren, Somekh: Almost
// Optimal Exploration in Multi-Armed Bandits, ICML 2013; Jamieson, Talwalkar: Non-stochastic Best Arm Identification and
// Hyperparameter Optimization, AISTATS 2016). All classes are measured with an eighth of the steps, the better half of
// them with a quarter, the better half of those with half of the steps; then as many of the best as time allows are
// measured in full, with the settings that clean models were measured with.
//
// Only full measurements count. A class that is left out can only lower the model's score, and the clean models' scores
// shift a little, so p is as a rule larger than without a budget. Rounds are scored on images that triggers were searched
// with, so that held-out images play no part in the choice.

public import Foundation
import Support
import Torch
import TorchNN
public import Training
public import Vision

public struct ClassHalving {
  /// One round: so many classes with the steps divided by a number.
  public struct Round: Codable, Sendable, Hashable {
    public var classes: Int
    public var divisor: Int

    public init(classes: Int, divisor: Int) { (self.classes, self.divisor) = (classes, divisor) }
  }

  public let settings: AuditSettings
  public let quick: Bool
  /// Seconds for rounds and full measurements together.
  public let budget: Double
  /// Seconds since the audit began.
  let elapsed: () -> Double

  /// - Parameter start: when the audit began.
  public init(_ settings: AuditSettings, quick: Bool, budget: Double, start: Date) {
    self.init(settings, quick: quick, budget: budget, elapsed: { Date().timeIntervalSince(start) })
  }

  init(_ settings: AuditSettings, quick: Bool, budget: Double, elapsed: @escaping () -> Double) {
    (self.settings, self.quick, self.budget, self.elapsed) = (settings, quick, budget, elapsed)
  }

  /// The classes to measure in full, ascending; all of them where time suffices, at least one.
  /// - Parameters:
  ///   - rank: of each class that a round measured, how promising it is.
  /// - Throws: `Interrupted`.
  public func classes(
    of model: Classifier, _ images: AuditImages, context: TrainingContext,
    rank: (ClassStatistics) -> [Double]
  ) throws -> (chosen: [Int], rounds: [Round]) {
    let all = Array(0..<model.classes)
    return try choose(
      all, cost: { cost($0, images) },
      speed: try speed(of: model, images, context),
      round: { classes, divisor in
        context.progress.message(
          "\(classes.count) of \(all.count) classes with 1/\(divisor) of the steps")
        let measured = try AuditMeasurement(
          model, images.screening, shortened(by: divisor), quick: quick, classes: classes,
          stage: nil, title: "screen", context: context)
        return rank(measured.statistics)
      })
  }

  /// The choice alone.
  /// - Parameters:
  ///   - cost: passes of images for one class, with the steps divided by a number.
  ///   - speed: passes in a second.
  ///   - round: measures classes with the steps divided by a number, and ranks them.
  func choose(
    _ all: [Int], cost: (_ divisor: Int) -> Double, speed: Double,
    round: (_ classes: [Int], _ divisor: Int) throws -> [Double]
  ) rethrows -> (chosen: [Int], rounds: [Round]) {
    var (alive, speed, rounds) = (all, speed, [Round]())
    func fitting() -> Int { Int((budget - elapsed()) * speed / cost(1)) }
    for divisor in [8, 4, 2] {
      if fitting() >= alive.count { return (alive.sorted(), rounds) }
      let passes = Double(alive.count) * cost(divisor)
      // The first round is the least that can be done; a later one must leave time for what it is for.
      if divisor < 8, passes / speed > (budget - elapsed()) / 2 { break }
      let start = elapsed()
      let ranks = try round(alive, divisor)
      rounds.append(Round(classes: alive.count, divisor: divisor))
      speed = passes / max(elapsed() - start, 1e-6)
      let order = alive.indices.sorted { ranks[$0] == ranks[$1] ? $0 < $1 : ranks[$0] > ranks[$1] }
      alive = order.prefix(max((alive.count + 1) / 2, fitting())).map { alive[$0] }
    }
    return (alive.prefix(max(1, fitting())).sorted(), rounds)
  }

  /// How promising classes are after a round. Beside a bank, the largest of a class's standardised values, each above the
  /// median of all classes: fewer steps lower all of them. Without one, the success of the class's patch; among equal
  /// ones its log-odds count.
  public static func ranks(
    _ model: ClassStatistics, bank: [ClassStatistics]?, statistics: [AuditStatistic]
  ) -> [Double] {
    // Of a class that all images are taken for nothing is learned.
    func known(_ ranks: [Double]) -> [Double] { zip(ranks, model.counts).map { $1 > 0 ? $0 : -.infinity } }
    guard let bank else { return known(zip(model.patchSuccess, model.patch).map { $0 + 1e-4 * $1 }) }
    let parts = statistics.map { statistic -> [Double] in
      let values = BankScale(bank.compactMap { $0[statistic] })
        .standardized(model[statistic] ?? [], labels: model.measured)
      let middle = values.isEmpty ? 0 : values.sorted()[values.count / 2]
      return values.map { $0 - middle }
    }
    return known(model.measured.indices.map { place in parts.map { $0[place] }.max() ?? 0 })
  }

  func shortened(by divisor: Int) -> AuditSettings {
    var s = settings
    s.marginSteps = max(1, s.marginSteps / divisor)
    s.patchSteps = max(1, s.patchSteps / divisor)
    s.perturbationSteps = max(1, s.perturbationSteps / divisor)
    return s
  }

  /// Forward and backward passes of single images that a class takes. A forward pass alone takes a third.
  func cost(_ divisor: Int, _ images: AuditImages) -> Double {
    let heldOut = divisor == 1 ? images.heldOut.count : min(images.search.count, AuditImages.screened)
    return AuditPasses(shortened(by: divisor), search: images.search.count, heldOut: heldOut, quick: quick).total
  }

  /// Passes of single images in a second, from two steps of the search for margins. The first step of a shape is slower
  /// than all others.
  private func speed(of model: Classifier, _ images: AuditImages, _ context: TrainingContext) throws
    -> Double
  {
    let data = images.search
    let size = data.channels * data.height * data.width
    let group =
      ClassGroups.groups(of: Array(0..<model.classes), rows: settings.starts, pixels: size).first
      ?? []
    let climb = MaximumMargin(starts: settings.starts, steps: 2, step: settings.marginStep)
    let noise = context.generator("audit/speed").uniform(
      [group.count, settings.starts, data.channels, data.height, data.width])
    return try model.withFrozenParameters {
      var seconds = 0.0
      for _ in 0..<2 {
        let start = elapsed()
        _ = try climb.largest(model, from: noise, targets: group, context)
        seconds = elapsed() - start
      }
      return Double(2 * settings.starts * group.count) / max(seconds, 1e-6)
    }
  }
}

extension AuditImages {
  /// Images that a round scores at most.
  static let screened = 64

  /// The images of a round: triggers are scored on some of those that they were searched with.
  var screening: AuditImages { AuditImages(search: search, heldOut: search.prefix(Self.screened)) }
}
