@testable import Attacks
import Backdoor
import Support
import TestSupport
import Testing
import Torch
import Vision

/// Triggers against an independent computation pixel by pixel (`make_attacks.py`): equal to the last byte.
@Suite struct AttackGoldenTests {
  private let golden: Golden
  private let shape = ImageShape(channels: 3, height: 16, width: 16)
  private let stored = imagePattern([3, 3, 16, 16], 0.5).quantized()
  init() throws { golden = try Golden("attacks") }

  private func pixels(_ dims: Shape, _ phase: Double) -> [Float] { imagePattern(dims, phase).array(Float.self) }

  private func trigger(_ name: String) throws -> any Trigger {
    let field = WaNet.field(pattern([1, 2, 4, 4], 0.2), shape: shape)
    let grid = WaNet.grid(field, strength: 2.5, shape: shape).array(Float.self)
    let places = [(12, 12), (0, 0), (0, 12), (12, 0)]
    let patches = places.enumerated().map { number, place in
      CornerPatches.One(row: place.0, column: place.1, pixels: pixels([3, 4, 4], Double(number)))
    }
    switch name {
    case "sig": return Sinusoid.signal(delta: 40, periods: 6, shape: shape)
    case "wanet": return Warp(grid: grid, shape: shape)
    case "wanet_noise": return Warp(grid: grid, shape: shape, noise: 1)
    case "bpp": return Quantization(levels: 7, dithering: true)
    case "bpp_plain": return Quantization(levels: 7, dithering: false)
    case "bpp_negative": return ForeignResidual(quantization: Quantization(levels: 7, dithering: true))
    case "corners": return Corners(shape: shape, opacity: 1)
    case "corners_weak": return Corners(shape: shape, opacity: 80.0 / 255)
    case "adaptive_patch_train":
      return CornerPatches(patches: patches, opacities: [0.5, 0.2, 0.5, 0.3], side: 4, shape: shape, showsAll: false)
    case "adaptive_patch_test":
      return CornerPatches(
        patches: [patches[0], patches[2]], opacities: [0.9, 0.9], side: 4, shape: shape, showsAll: true)
    case "adaptive_blend":
      return PartialBlend(alpha: 0.15, pattern: pixels([3, 16, 16], 0.1), shape: shape, pieces: 3, hidden: 4)
    case "refool":
      let reversed = stored.flipped(0).contiguous().array(UInt8.self)
      return Reflection(images: reversed, count: 3, shape: shape, strength: 0.05...0.4)
    default: throw GoldenError(description: "no trigger \(name)")
    }
  }

  @Test(arguments: Golden.cases("attacks")) func agrees(_ name: String) throws {
    expectSame(stored, try golden.tensor("clean/stored"))
    expectSame(try trigger(name).stamp(stored, Generator(seed: 7)), try golden.tensor("\(name)/stamped"), name)
  }
}
