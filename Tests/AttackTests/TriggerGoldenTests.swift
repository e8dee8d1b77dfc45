@testable import Attacks
import Backdoor
import TestSupport
import Testing
import Torch
import Vision

/// BadNets and Blended against Python torch, from pixels and from stored images.
@Suite struct TriggerGoldenTests {
  private func trigger(_ name: String, _ settings: JSON) throws -> any Trigger {
    let shape = ImageShape(channels: 3, height: 8, width: 8)
    if settings["kind"].string == "blended" {
      let pattern = imagePattern(settings["trigger"]["shape"].ints, settings["trigger"]["phase"].double ?? .nan)
      return Blend(alpha: settings["alpha"].double ?? .nan, pattern: pattern.array(Float.self), shape: shape)
    }
    if settings["mask"].string == "ones" {
      let ones = settings["patch"].array.flatMap(\.ints).map { $0 == 1 }
      let values = [[UInt8]](repeating: ones.map { $0 ? 255 : 0 }, count: 3).flatMap { $0 }
      return Patch(
        row: settings["top"].int ?? -1, column: settings["left"].int ?? -1, side: 3, mask: ones, values: values,
        channels: 3)
    }
    var configuration = BadNets.Configuration()
    configuration.pattern = name.contains("checkerboard") ? .checkerboard : .white
    configuration.place = settings["top"].int == 0 ? .topLeft : .bottomRight
    return try BadNets(configuration).trigger(for: shape)
  }

  @Test(arguments: Golden.cases("triggers")) func agrees(_ name: String) throws {
    let golden = try Golden("triggers")
    let trigger = try trigger(name, golden.settings(of: name))
    let pixels = imagePattern([2, 3, 8, 8], 0.5)
    expectSame(pixels, try golden.tensor("clean/pixels"))
    let stamped = trigger(pixels, Generator(seed: 0))
    expectClose(stamped, try golden.tensor("\(name)/stamped"), tolerance: 2e-7)
    expectSame(stamped.quantized(), try golden.tensor("\(name)/quantised"))
    let stored = pixels.quantized()
    expectSame(stored, try golden.tensor("clean/quantised"))
    expectSame(trigger.stamp(stored, Generator(seed: 0)), try golden.tensor("\(name)_from_uint8/quantised"))
  }

  @Test func halvesGoToEven() throws {
    let golden = try Golden("triggers")
    expectSame(try golden.tensor("ties/pixels").quantized(), try golden.tensor("ties/quantised"))
  }
}
