@testable import Attacks
import Backdoor
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Torch
import Vision

@Suite struct BlendedTests {
  private let shape = ImageShape(channels: 3, height: 16, width: 16)

  /// Bytes of the quick path against the definition in float64: they may differ only where the definition lies on a
  /// tie.
  @Test(arguments: GeneratedPattern.allCases, [1, 3]) func stampIsTheDefinition(
    _ pattern: GeneratedPattern, _ channels: Int
  ) throws {
    for alpha in [0.1, 0.2, 0.5] {
      var configuration = Blended.Configuration()
      configuration.pattern = pattern
      configuration.alpha = alpha
      let trigger = try Blended(configuration).trigger(for: ImageShape(channels: channels, height: 16, width: 16))
      let blend = try #require(trigger as? Blend)
      let images = storedImages(200, channels: channels, height: 16, width: 16)
      let before = images.clone()
      let stamped = trigger.stamp(images, Generator(seed: 0))
      expectSame(images, before, "the input")
      let overlay = Tensor(blend.pattern, shape: [1, channels, 16, 16]).to(.float64)
      let exact = (1 - alpha) * images.to(.float64) + alpha * 255 * overlay
      for path in [stamped, trigger.throughFloats(images)] {
        #expect((path.to(.float64) - exact).abs().max().item() <= 0.5 + 1e-4)
      }
      #expect((stamped .!= images).to(.float32).mean().item() > 0.5, "the pattern is all over the image")
    }
  }

  /// A mean with 0 of odd bytes is a tie: it goes to the even neighbour.
  @Test func halvesGoToEven() {
    let images = Tensor((0..<256).map { UInt8($0) }, shape: [1, 1, 16, 16])
    let blend = Blend(
      alpha: 0.5, pattern: [Float](repeating: 0, count: 256), shape: ImageShape(channels: 1, height: 16, width: 16))
    let expected = (0..<256).map { UInt8((Double($0) / 2).rounded(.toNearestOrEven)) }
    #expect(blend.stamp(images, Generator(seed: 0)).array(UInt8.self) == expected)
  }

  @Test func ends() throws {
    var configuration = Blended.Configuration()
    configuration.alpha = 0
    let images = storedImages(4, height: 16, width: 16)
    expectSame(try Blended(configuration).trigger(for: shape).stamp(images, Generator(seed: 0)), images)
    configuration.alpha = 1
    let all = try Blended(configuration).trigger(for: shape).stamp(images, Generator(seed: 0))
    expectSame(all[0], all[3], "the pattern alone")
  }

  @Test func imageFromAFile() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/trigger.png"
      let picture = storedImages(1, height: 16, width: 20)
      let bytes = picture.permuted(0, 2, 3, 1).contiguous().array(UInt8.self)
      try Data(DecodedImage(width: 20, height: 16, channels: 3, pixels: bytes).encodePNG()).write(
        to: URL(fileURLWithPath: path))
      var configuration = Blended.Configuration()
      configuration.image = path
      configuration.alpha = 1
      let wide = try Blended(configuration).trigger(for: ImageShape(channels: 3, height: 16, width: 20))
      expectSame(wide.stamp(storedImages(1, height: 16, width: 20, seed: 9), Generator(seed: 0)), picture)
      _ = try Blended(configuration).trigger(for: ImageShape(channels: 1, height: 8, width: 8)).stamp(
        storedImages(1, channels: 1), Generator(seed: 0))
    }
  }

  /// The weight is alpha times the image's opacity.
  @Test func transparentImage() throws {
    try withTemporaryFolder { folder in
      let opacity = (0..<256).map { UInt8($0) }
      let path = "\(folder)/trigger.bmp"
      try Data(clearBitmap(side: 16, blue: 200, green: 30, red: 255, opacity)).write(to: URL(fileURLWithPath: path))
      var configuration = Blended.Configuration()
      configuration.image = path
      configuration.alpha = 0.5
      let trigger = try Blended(configuration).trigger(for: shape)
      let images = storedImages(2, height: 16, width: 16)
      let (before, after) = (images.array(UInt8.self), trigger.stamp(images, Generator(seed: 0)).array(UInt8.self))
      let floats = trigger.throughFloats(images).array(UInt8.self)
      for index in before.indices {
        let weight = 0.5 * Double(opacity[index % 256]) / 255
        let exact = (1 - weight) * Double(before[index]) + weight * [255.0, 30, 200][index / 256 % 3]
        #expect(abs(Double(after[index]) - exact) <= 0.51 && abs(Double(floats[index]) - exact) <= 0.51)
      }
    }
  }

  @Test func generatedPatternsAreSquare() {
    let error = #expect(throws: BackdoorError.self) {
      try Blended().tasks(for: ImageShape(channels: 3, height: 16, width: 20), seed: 1)
    }
    #expect(error?.description.contains("16x20") == true)
  }

  @Test func seeds() throws {
    let images = storedImages(2, height: 16, width: 16)
    func stamped(_ seed: UInt64) throws -> Tensor {
      try Blended().trigger(for: shape, seed: .init(seed)).stamp(images, Generator(seed: 5))
    }
    expectSame(try stamped(1), try stamped(1))
    #expect((try stamped(1) .!= stamped(2)).any().intItem() == 1)
  }
}
