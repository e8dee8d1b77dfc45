import Testing
import Torch

@testable import Attacks

@Suite struct DerangementTests {
  @Test(arguments: [2, 3, 17]) func everyOneMeetsAnotherOnce(_ count: Int) {
    let partners = Generator(seed: 7).derangement(count).array(Int64.self).map(Int.init)
    #expect(partners.sorted() == Array(0..<count) && zip(partners, 0..<count).allSatisfy { $0 != $1 })
  }

  @Test func alone() {
    #expect(Generator(seed: 7).derangement(1).array(Int64.self) == [0])
    #expect(Generator(seed: 7).derangement(0).count == 0)
  }
}
