import Testing

@testable import Evaluation

/// Table 22 of the decoupled-training paper.
@Suite struct FilteringRateTests {
  /// 200 samples, so that the bounds are 1, 2, 4 and 6, and 1, 3, 6 and 9 samples are removed. Label 3 is the target's:
  /// positions 3, 8, 13, ...; the suspicion falls with the position.
  private let labels = (0..<200).map { $0 % 5 }
  private let suspicion = (0..<200).map { 1000 - Double($0) }

  @Test func theMostSuspiciousOfTheTargetClassAreRemoved() {
    let rates = FilteringRate.all(suspicion: suspicion, labels: labels, poisoned: [3, 13, 18, 43, 198])
    #expect(
      rates == [
        FilteringRate(bound: 1, removed: 1, poisonedRemoved: 1),
        FilteringRate(bound: 2, removed: 3, poisonedRemoved: 2),
        FilteringRate(bound: 4, removed: 6, poisonedRemoved: 3),
        FilteringRate(bound: 6, removed: 9, poisonedRemoved: 4),
      ])
    #expect(rates[1].share == 2.0 / 3)
  }

  /// The paper's own numbers on 50,000 images.
  @Test func boundsOfThePaper() {
    let labels = (0..<50_000).map { $0 % 10 }
    let poisoned = Set((0..<5000).map { $0 * 10 + 7 }.prefix(367))
    let rates = FilteringRate.all(suspicion: labels.indices.map { -Double($0) }, labels: labels, poisoned: poisoned)
    #expect(rates.map(\.bound) == [250, 500, 1000, 1500] && rates.map(\.removed) == [375, 750, 1500, 2250])
    #expect((rates[0].share * 1e4).rounded() == 9787)
  }

  /// Covers 8 and 13 are passed over; a NaN is least suspicious; a class of four gives up four at most.
  @Test func coversAndSmallClasses() {
    var suspicion = suspicion
    suspicion[3] = .nan
    let few = labels.enumerated().map { $0.element == 3 && $0.offset > 30 ? 2 : $0.element }
    // Of label 3 there are 3, 8, 13, 18, 23, 28.
    let rates = FilteringRate.all(suspicion: suspicion, labels: few, poisoned: [3, 23], covers: [8, 13])
    #expect(rates.map(\.removed) == [1, 3, 4, 4] && rates.map(\.poisonedRemoved) == [0, 1, 2, 2])
  }

  /// With several targets each class is filtered for itself.
  @Test func severalTargets() {
    let rates = FilteringRate.all(suspicion: suspicion, labels: labels, poisoned: [0, 199])
    #expect(rates.map(\.removed) == [2, 6, 12, 18] && rates.map(\.poisonedRemoved) == [1, 1, 1, 1])
  }

  @Test func withoutSuspicionOrPoisonThereIsNone() {
    #expect(FilteringRate.all(suspicion: nil, labels: labels, poisoned: [1]).isEmpty)
    #expect(FilteringRate.all(suspicion: suspicion, labels: labels, poisoned: []).isEmpty)
  }
}
