@testable import Defenses
import TestSupport
import Testing
import Torch

@Suite struct BoostingVoteTests {
  private func kept(_ votes: [[Int64]], _ labels: [Int64], classes: Int = 4, seed: UInt64 = 1) -> [Bool] {
    BoostingVote.samples(
      votes: Tensor(votes.flatMap { $0 }, shape: [votes.count, labels.count]), labels: Tensor(labels), classes: classes,
      generator: Generator(seed: seed)
    ).array(Bool.self)
  }

  /// Columns: all agree; two of three agree; two of three agree on another class; nobody agrees; the label is the modal
  /// class of four without a majority.
  @Test func modalVote() {
    let votes: [[Int64]] = [[0, 1, 2, 3, 1], [0, 1, 3, 3, 0], [0, 2, 3, 1, 2], [0, 1, 3, 3, 1]]
    #expect(kept(votes, [0, 1, 2, 0, 1]) == [true, true, false, false, true])
  }

  /// One vote each for classes 0 and 1: the label 0 wins in half of the draws, and in none where it has fewer votes.
  @Test func tiesAreDrawn() {
    let count = 2000
    let first = [Int64](repeating: 0, count: count)
    let second = [Int64](repeating: 1, count: count)
    let votes = [first, second]
    let share = Double(kept(votes, first).count { $0 }) / Double(count)
    #expect(abs(share - 0.5) < 0.06, "\(share)")
    #expect(kept(votes, first) == kept(votes, first), "the seed decides")
    #expect(kept(votes, first) != kept(votes, first, seed: 2))
    #expect(
      zip(kept(votes, first), kept(votes, second)).allSatisfy { $0 != $1 }, "one draw decides between the two classes")
    #expect(!kept([first, second, second], first).contains(true))
    #expect(!kept(votes, [Int64](repeating: 2, count: count)).contains(true), "classes without a vote take no part")
  }

  /// A modal class needs so many votes: 3, 2 (a tie that the draw gives to the label or not) and 1 of three.
  @Test func votesAreEnough() {
    let votes: [[Int64]] = [[0, 1, 2], [0, 1, 0], [0, 3, 1]]
    func kept(_ minimum: Int) -> [Bool] {
      BoostingVote.samples(
        votes: Tensor(votes.flatMap { $0 }, shape: [3, 3]), labels: Tensor([0, 1, 2] as [Int64]), classes: 4,
        minimum: minimum, generator: Generator(seed: 5)
      ).array(Bool.self)
    }
    #expect(kept(1).prefix(2) == [true, true] && kept(2) == [true, true, false])
    #expect(kept(3) == [true, false, false] && kept(4) == [false, false, false])
  }

  /// Three learners of components with 50, 30 and 20 samples, and 10 samples that no round took. Each accepts its own;
  /// the two smaller accept each other; the largest accepts the second; all but the largest accept the rest. In favour
  /// of the parts: 50, 100, 50, 50 of 110; more than half is needed.
  @Test func componentsVoteByTheirSize() {
    let agreements = [[50, 16, 10, 5], [25, 30, 11, 6], [5, 20, 20, 10]]
    #expect(BoostingVote.components(agreements: agreements, sizes: [50, 30, 20, 10]) == [false, true, false, false])
    // One more sample of the first part agrees with the second learner: 80 of 110 votes.
    let more = [[50, 16, 11, 5], [26, 30, 11, 6], [5, 20, 20, 10]]
    #expect(BoostingVote.components(agreements: more, sizes: [50, 30, 20, 10]) == [true, true, true, false])
    // Samples without a learner count: 80 votes are not more than half of 160.
    #expect(
      BoostingVote.components(agreements: more, sizes: [50, 30, 20, 60]) == [false, true, true, false])
  }

  /// Two learners of each component: more than half of a part's samples in their mean.
  @Test func learnersOfAComponentAreAveraged() {
    // Of 40 samples, the two learners of the first agree with 30 + 11 of the second part, those of the second with
    // 20 + 20 of the first.
    let agreements = [[80, 41], [40, 80]]
    #expect(BoostingVote.components(agreements: agreements, sizes: [40, 40], learners: 2) == [false, true])
    #expect(
      BoostingVote.components(agreements: [[80, 40], [41, 80]], sizes: [40, 40], learners: 2) == [true, false])
  }
}
