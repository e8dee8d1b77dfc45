@testable import Attacks
import Backdoor
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Torch
import Vision

@Suite struct BadNetsTests {
  private let shape = ImageShape(channels: 3, height: 10, width: 14)

  /// The pixels of the image that a patch of this outline covers, from its first corner.
  private func outline(_ outline: BadNets.Outline, _ size: Int) -> (places: Set<[Int]>, side: Int) {
    switch outline {
    case .square: (Set((0..<size).flatMap { row in (0..<size).map { [row, $0] } }), size)
    case .l: ([[0, 0], [1, 0], [0, 1]], 2)
    case .x: ([[1, 1], [0, 0], [0, 2], [2, 0], [2, 2]], 3)
    case .pixel: ([[0, 0]], 1)
    }
  }

  /// Every outline at every place: exactly its pixels change, the input stays, and storing goes before or after with
  /// the same bytes.
  @Test(arguments: BadNets.Outline.allCases, BadNets.Place.allCases)
  func coversItsPixels(_ kind: BadNets.Outline, _ place: BadNets.Place) throws {
    for (size, margin) in [(1, 0), (2, 1), (3, 2), (4, 0)] {
      var configuration = BadNets.Configuration()
      configuration.outline = kind
      configuration.place = place
      configuration.size = size
      configuration.margin = margin
      configuration.pattern = .color
      let trigger = try BadNets(configuration).trigger(for: shape)
      let images = storedImages(64, height: 10, width: 14)
      let before = images.clone()
      let stamped = trigger.stamp(images, Generator(seed: 0))
      expectSame(images, before, "the input")
      expectSame(stamped, trigger.throughFloats(images), "\(kind) \(place) \(size) \(margin)")

      let (places, side) = outline(kind, size)
      let (bottom, right) = (10 - side - margin, 14 - side - margin)
      let changed = changedPixels(images, stamped)
      let corner: [Int]
      switch place {
      case .bottomRight: corner = [bottom, right]
      case .bottomLeft: corner = [bottom, margin]
      case .topLeft: corner = [margin, margin]
      case .topRight: corner = [margin, right]
      case .center: corner = [(10 - side) / 2, (14 - side) / 2]
      case .random:
        corner = [changed.map { $0[0] }.min() ?? -1, changed.map { $0[1] }.min() ?? -1]
        #expect(corner[0] >= min(margin, bottom) && corner[1] >= min(margin, right))
        #expect(corner[0] <= bottom && corner[1] <= right)
      }
      #expect(
        changed == Set(places.map { [$0[0] + corner[0], $0[1] + corner[1]] }), "\(kind) \(place) \(size) \(margin)")
    }
  }

  /// What each pattern shows, on a 3 x 3 and on a 2 x 2 square.
  @Test(arguments: BadNets.Pattern.allCases.filter { $0 != .image }) func shows(_ pattern: BadNets.Pattern) throws {
    for side in [2, 3] {
      var configuration = BadNets.Configuration()
      configuration.pattern = pattern
      configuration.size = side
      configuration.place = .topLeft
      let stamped = try BadNets(configuration).trigger(for: shape).stamp(
        storedImages(2, height: 10, width: 14), Generator(seed: 0))
      let patch = stamped.narrowed(2, 0..<side).narrowed(3, 0..<side).contiguous()
      expectSame(patch[0], patch[1], "every image gets the same patch")
      let values = patch[0].array(UInt8.self)
      let plane = Array(values.prefix(side * side))
      switch pattern {
      case .white: #expect(values.allSatisfy { $0 == 255 })
      case .black: #expect(values.allSatisfy { $0 == 0 })
      case .checkerboard:
        #expect(plane == (side == 3 ? [0, 0, 255, 0, 255, 0, 255, 0, 255] : [255, 0, 0, 255]))
        #expect(values == plane + plane + plane)
      case .random: #expect(Set(values).count > side)
      case .color:
        for channel in 0..<3 {
          #expect(Set(values[(channel * side * side)..<((channel + 1) * side * side)]).count == 1)
        }
        #expect(Set(values).count > 1, "not a grey")
      case .image: break
      }
    }
  }

  /// What is drawn is drawn once, from the seed.
  @Test(arguments: [BadNets.Pattern.random, .color]) func seeds(_ pattern: BadNets.Pattern) throws {
    var configuration = BadNets.Configuration()
    configuration.pattern = pattern
    configuration.place = .random
    let attack = BadNets(configuration)
    let images = storedImages(3, height: 10, width: 14)
    func stamped(_ seed: Seed) throws -> Tensor {
      try attack.trigger(for: shape, seed: seed).stamp(images, Generator(seed: 5))
    }
    expectSame(try stamped(1), try stamped(1))
    #expect((try stamped(1) .!= stamped(2)).any().intItem() == 1)
  }

  /// Opacity 0 leaves a pixel, 255 hides it, and 100 blends.
  @Test func transparentImage() throws {
    try withTemporaryFolder { folder in
      let opacity: [UInt8] = [0, 255, 100, 0, 255, 100, 0, 255, 100]
      let path = "\(folder)/trigger.bmp"
      try Data(clearBitmap(side: 3, blue: 200, green: 30, red: 255, opacity)).write(to: URL(fileURLWithPath: path))
      var configuration = BadNets.Configuration()
      configuration.pattern = .image
      configuration.image = path
      configuration.place = .topLeft
      let images = storedImages(2, height: 10, width: 14)
      let trigger = try BadNets(configuration).trigger(for: shape)
      let stamped = trigger.stamp(images, Generator(seed: 0))
      let (before, after) = (images.array(UInt8.self), stamped.array(UInt8.self))
      for index in before.indices {
        let (column, row, channel) = (index % 14, index / 14 % 10, index / 140 % 3)
        let weight = row < 3 && column < 3 ? Double(opacity[3 * row + column]) / 255 : 0
        let exact = (1 - weight) * Double(before[index]) + weight * [255.0, 30, 200][channel]
        #expect(abs(Double(after[index]) - exact) <= 0.5 + 1e-4)
      }
      #expect((trigger.throughFloats(images).to(.float32) - stamped.to(.float32)).abs().max().item() <= 1)
    }
  }

  @Test func imageFromAFile() throws {
    try withTemporaryFolder { folder in
      let colors = (0..<27).map { UInt8($0 * 9) }
      let path = "\(folder)/trigger.png"
      try Data(DecodedImage(width: 3, height: 3, channels: 3, pixels: colors).encodePNG()).write(
        to: URL(fileURLWithPath: path))
      var configuration = BadNets.Configuration()
      configuration.pattern = .image
      configuration.image = path
      configuration.place = .topLeft
      let stamped = try BadNets(configuration).trigger(for: shape).stamp(
        storedImages(1, height: 10, width: 14), Generator(seed: 0))
      let patch = stamped.narrowed(2, 0..<3).narrowed(3, 0..<3).permuted(0, 2, 3, 1).contiguous()
      #expect(patch.array(UInt8.self) == colors)

      configuration.size = 1
      let gray = try BadNets(configuration).trigger(for: ImageShape(channels: 1, height: 10, width: 14))
      let one = gray.stamp(storedImages(1, channels: 1, height: 10, width: 14), Generator(seed: 0)).array(UInt8.self)[0]
      #expect(abs(Int(one) - 117) <= 2, "the mean of the picture")

      configuration.image = "\(folder)/missing.png"
      #expect(throws: (any Error).self) { try BadNets(configuration).tasks(for: shape, seed: 1) }
      configuration.image = nil
      let error = #expect(throws: BackdoorError.self) { try BadNets(configuration).tasks(for: shape, seed: 1) }
      #expect(error?.description.contains("attack.image") == true)
    }
  }

  @Test func mustFit() throws {
    var configuration = BadNets.Configuration()
    configuration.size = 10
    _ = try BadNets(configuration).tasks(for: shape, seed: 1)
    for (size, margin) in [(11, 0), (10, 1), (3, 8)] {
      configuration.size = size
      configuration.margin = margin
      let error = #expect(throws: BackdoorError.self) { try BadNets(configuration).tasks(for: shape, seed: 1) }
      #expect(
        error?.description
          == "attack.size \(size): the patch (side \(size), margin \(margin)) does not fit images of 10x14 pixels.")
    }
  }

  /// A picture that nothing shows is an oversight, also where another attack's patch is this one.
  @Test func aPictureThatIsNotShown() throws {
    var (patch, source, sleeper) = (BadNets.Configuration(), TaCT.Configuration(), SleeperAgent.Configuration())
    (patch.image, source.image, sleeper.image) = ("a.png", "a.png", "a.png")
    for attack in [BadNets(patch), TaCT(source), SleeperAgent(sleeper)] as [any Attack] {
      let error = #expect(throws: BackdoorError.self) { try attack.tasks(for: shape, seed: 1, learned: [:]) }
      #expect(error?.description.contains("Set attack.pattern=image") == true, "\(type(of: attack).id)")
    }
  }

  /// Patches in several corners do not meet, and drawn places keep the margin on all sides.
  @Test func roomForSeveralAndForDrawnPlaces() throws {
    func error(_ change: (inout BadNets.Configuration) -> Void) -> String {
      var configuration = BadNets.Configuration()
      change(&configuration)
      return errorText { _ = try BadNets(configuration).tasks(for: shape, seed: 1) }
    }
    #expect(error { ($0.triggers, $0.size) = (2, 5) } == "no error")
    #expect(error { ($0.triggers, $0.size) = (2, 6) }.contains("overlap"))
    #expect(error { ($0.triggers, $0.size, $0.margin) = (4, 4, 2) }.contains("overlap"))
    for change in [
      { $0.place = .random }, { $0.varies = .place }, { ($0.varies, $0.pattern) = (.both, .random) },
    ] as [(inout BadNets.Configuration) -> Void] {
      func ofMargin(_ margin: Int) -> String {
        error { configuration in
          change(&configuration)
          configuration.margin = margin
        }
      }
      #expect(ofMargin(3) == "no error" && ofMargin(4).contains("no place"))
    }
    var sleeper = SleeperAgent.Configuration()
    (sleeper.size, sleeper.margin) = (4, 4)
    #expect(errorText { _ = try SleeperAgent(sleeper).tasks(for: shape, seed: 1, learned: [:]) }.contains("no place"))
  }

  /// Several triggers sit in corners of their own and have targets of their own.
  @Test func severalTriggers() throws {
    var configuration = BadNets.Configuration()
    configuration.triggers = 4
    configuration.target = 2
    configuration.place = .topLeft
    let tasks = try BadNets(configuration).tasks(for: shape, seed: 1)
    #expect(tasks.map(\.mapping) == (2..<6).map { .allToOne(target: $0) })
    #expect(tasks.map(\.name) == ["top-left", "top-right", "bottom-right", "bottom-left"])
    let images = Tensor.zeros([1, 3, 10, 14], dtype: .uint8)
    let places = tasks.map { changedPixels(images, $0.trigger.stamp(images, Generator(seed: 0))) }
    for (number, place) in places.enumerated() {
      #expect(place.count == 9)
      for other in places[(number + 1)...] { #expect(place.isDisjoint(with: other)) }
    }
    configuration.mapping = .allToAll
    #expect(throws: BackdoorError.self) { try BadNets(configuration).tasks(for: shape, seed: 1) }
    configuration.mapping = .allToOne
    configuration.place = .center
    #expect(throws: BackdoorError.self) { try BadNets(configuration).tasks(for: shape, seed: 1) }
  }
}
