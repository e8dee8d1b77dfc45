import Testing
import Torch

@Suite("Operations on bytes")
struct FusedByteTests {
  /// All bytes, so that halves and both ends occur.
  private let images = Tensor.arange(256).to(.uint8).reshaped(1, 1, 16, 16)

  @Test func blendingRoundsHalvesToEvenAndClips() {
    let overlay = Tensor.zeros([1, 1, 16, 16])
    #expect(F.blendBytes(images, scale: 0.5, overlay: overlay).array(UInt8.self).prefix(8) == [0, 0, 1, 2, 2, 2, 3, 4])
    let bright = F.blendBytes(images, scale: 1, overlay: overlay + 250).array(UInt8.self)
    #expect(bright.prefix(6) == [250, 251, 252, 253, 254, 255] && bright.last == 255)
    let dark = F.blendBytes(images, scale: 1, overlay: overlay - 250).array(UInt8.self)
    #expect(dark.first == 0 && dark.last == 5)
  }

  @Test(arguments: [0.1, 0.2, 0.5, 0.9]) func blendingEqualsOperationsOneByOne(_ alpha: Double) {
    let random = Generator(seed: 1)
    let images = random.integers(0..<256, [33, 3, 32, 32]).to(.uint8)
    let overlay = random.integers(0..<256, [1, 3, 32, 32]).to(.float32) * alpha
    let mixed = images.to(.float32)
    mixed.mul_(1 - alpha)
    mixed.add_(overlay)
    let fused = F.blendBytes(images, scale: 1 - alpha, overlay: overlay)
    #expect(fused.array(UInt8.self) == mixed.round().to(.uint8).array(UInt8.self))
  }

  @Test func otherMemoryOrdersGiveTheSame() {
    let random = Generator(seed: 2)
    let images = random.integers(0..<256, [4, 3, 8, 8]).to(.uint8)
    let overlay = random.uniform([1, 3, 8, 8], 0, 100)
    let plain = F.blendBytes(images, scale: 0.7, overlay: overlay)
    let other = F.blendBytes(images.contiguous(.channelsLast), scale: 0.7, overlay: overlay)
    #expect(plain.array(UInt8.self) == other.array(UInt8.self))
  }

  @Test func mixingEqualsOperationsOneByOne() {
    let random = Generator(seed: 1)
    let images = random.integers(0..<256, [7, 3, 5, 9]).to(.uint8)
    let places = random.integers(0..<45, [4, 45]).to(.int32)
    let weights = random.uniform([4, 45], -0.2, 0.7)
    let fused = F.mixBytes(images, places: places, weights: weights)
    let plain = F.mixBytes(images.contiguous(.channelsLast), places: places, weights: weights)
    #expect(fused.array(UInt8.self) == plain.array(UInt8.self))
    #expect(Set(fused.array(UInt8.self)).isSuperset(of: [0, 255]), "both ends are clipped")
    let copies = Tensor.arange(45).to(.int32).reshaped(1, 45).expanded([4, 45])
    let quarters = Tensor.full([4, 45], 0.25)
    #expect(F.mixBytes(images, places: copies, weights: quarters).array(UInt8.self) == images.array(UInt8.self))
  }
}
