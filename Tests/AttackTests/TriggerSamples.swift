import Attacks
import Backdoor
import Support
import Torch
import Vision

/// Random stored images.
func storedImages(_ count: Int, channels: Int = 3, height: Int = 8, width: Int = 8, seed: UInt64 = 1) -> Tensor {
  Generator(seed: seed).integers(0..<256, [count, channels, height, width]).to(.uint8)
}

extension Attack {
  /// The trigger of an attack that has one.
  func trigger(for shape: ImageShape, seed: Seed = 7) throws -> any Trigger {
    try tasks(for: shape, seed: seed)[0].trigger
  }
}

extension Trigger {
  /// What `stamp` does by default: floats in between.
  func throughFloats(_ images: Tensor) -> Tensor { self(images.unitPixels(), Generator(seed: 0)).quantized() }
}

/// Positions (row, column) at which any image or channel changed.
func changedPixels(_ before: Tensor, _ after: Tensor) -> Set<[Int]> {
  let changed = (before .!= after).to(.int64).sum([0, 1]) .> 0
  let places = changed.nonzero().array(Int64.self).map(Int.init)
  return Set(stride(from: 0, to: places.count, by: 2).map { [places[$0], places[$0 + 1]] })
}

/// A bitmap file of one colour whose pixels have these opacities, row by row.
func clearBitmap(side: Int, blue: UInt8, green: UInt8, red: UInt8, _ opacity: [UInt8]) -> [UInt8] {
  func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  let size = UInt32(side)
  let info =
    word(56) + word(size) + word(0 &- size) + [1, 0, 32, 0] + word(3) + word(0) + word(0) + word(0) + word(0) + word(0)
  let masks = word(0xff0000) + word(0xff00) + word(0xff) + word(0xff00_0000)
  return Array("BM".utf8) + word(0) + word(0) + word(70) + info + masks + opacity.flatMap { [blue, green, red, $0] }
}
