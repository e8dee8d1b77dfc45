import Testing
import Torch
import TorchNN

@testable import Attacks

@Suite struct DerangementTests {
  @Test(arguments: [2, 3, 17]) func everyOneMeetsAnotherOnce(_ count: Int) {
    let partners = Generator(seed: 7).derangement(count).array(Int64.self).map(Int.init)
    #expect(partners.sorted() == Array(0..<count) && zip(partners, 0..<count).allSatisfy { $0 != $1 })
  }

  /// Where images are stamped in parts, the last part is no single image either.
  @Test(arguments: [256, 257, 258, 513]) func noImageIsAlone(_ count: Int) {
    final class Nothing: Module {}
    let images = Tensor((0..<count).map { Float($0 % 251) }, shape: [count, 1, 1, 1]).to(.uint8)
    let partner = GeneratedTrigger(Nothing()) { _, images, generator in
      images[generator.derangement(images.dimension(0)).to(images.device)]
    }
    let stamped = partner.stamp(images, Generator(seed: 3)).array(UInt8.self)
    #expect(stamped.count == count && zip(stamped, images.array(UInt8.self)).allSatisfy { $0 != $1 })
  }

  @Test func alone() {
    #expect(Generator(seed: 7).derangement(1).array(Int64.self) == [0])
    #expect(Generator(seed: 7).derangement(0).count == 0)
  }
}
