import Backdoor
import Files
import Support
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Attacks

/// What triggers show of themselves.
@Suite struct TriggerPartTests {
  private let shape = ImageShape(channels: 3, height: 8, width: 8)
  private let generator = Generator(seed: 3)

  /// Mask and pattern of each image give the triggered image.
  @Test func anInputAwareTriggerIsItsMaskAndPattern() throws {
    var settings = InputAware.Configuration()
    (settings.width, settings.levels) = (8, 1)
    let attack = InputAware(settings)
    let images = generator.uniform([5, 3, 8, 8])
    let networks = attack.makeNetworks(shape, .none, mask: Generator(seed: 1), pattern: Generator(seed: 2))
    // BatchNorm learns what these images are like, so that the networks tell them apart.
    noGrad { for _ in 0..<60 { _ = networks.train().trigger(of: images) } }
    networks.eval()
    let task = try #require(
      try attack.tasks(for: shape, seed: Seed(1), learned: networks.learned(as: "trigger")).first)
    let parts = task.trigger.parts(of: images)
    #expect(parts.map(\.name) == ["mask", "pattern"])
    #expect(parts.map(\.pictures.shape) == [[5, 1, 8, 8], [5, 3, 8, 8]])
    let (mask, pattern) = (parts[0].pictures, parts[1].pictures)
    expectClose(task.trigger(images, generator), images * (1 - mask) + pattern * mask, tolerance: 1e-6)
    #expect((pattern[0] - pattern[1]).abs().max().item() > 1e-4, "each image has its own")
  }

  @Test func patchesAndPatternsAreShownWhole() throws {
    let images = generator.uniform([2, 3, 8, 8])
    let patch = Patch(
      row: 2, column: 3, side: 2, mask: [true, false, true, true], values: (0..<12).map { UInt8($0 * 20) }, channels: 3,
      opacity: [0.1, 0.1, 0.1, 0.1])
    let shown = try #require(patch.parts(of: images).first).pictures
    #expect(shown.shape == [1, 3, 8, 8])
    func value(_ channel: Int, _ row: Int, _ column: Int) -> Double { shown[0][channel][row][column].item() }
    #expect(value(0, 2, 3) == 0 && abs(value(1, 3, 4) - 140.0 / 255) < 1e-6)
    #expect(value(1, 2, 4) == 0.5 && value(0, 0, 0) == 0.5, "outside of the mask")
    // The strongest value reaches an end of the scale, and nothing stays gray.
    let values = (0..<192).map { Float($0 - 100) / 2000 }
    let added = try #require(AddedPattern(pattern: values, shape: shape).parts(of: images).first).pictures
    expectClose(added, Tensor(values, shape: [1, 3, 8, 8]) * (0.5 / 0.05) + 0.5, tolerance: 1e-6)
    let blend = try #require(
      Blend(alpha: 0.2, pattern: values.map { $0 + 0.05 }, shape: shape).parts(of: images).first)
    expectClose(blend.pictures, Tensor(values, shape: [1, 3, 8, 8]) + 0.05, tolerance: 1e-6)
  }

  /// Where nothing moves, the lines are straight.
  @Test func aWarpBendsLines() throws {
    func grid(_ shift: Float) -> [Float] {
      var places: [Float] = []
      for row in 0..<8 {
        for column in 0..<8 { places += [Float(column) / 3.5 - 1 + shift, Float(row) / 3.5 - 1] }
      }
      return places
    }
    func lines(_ shift: Float) throws -> Tensor {
      try #require(Warp(grid: grid(shift), shape: shape).parts(of: .zeros([1, 3, 8, 8])).first).pictures
    }
    func row(_ lines: Tensor, _ row: Int) -> [Float] {
      lines[0][0][row].array(Float.self).map { ($0 * 100).rounded() / 100 }
    }
    let straight = try lines(0)
    #expect(row(straight, 1) == [1, 1, 1, 1, 1, 1, 1, 1] && row(straight, 2) == [0, 1, 0, 0, 0, 1, 0, 0])
    // Half a pixel to the right: each line is half here and half left of it.
    #expect(row(try lines(0.5 / 3.5), 2).prefix(7) == [0.5, 0.5, 0, 0, 0.5, 0.5, 0])
  }

  /// Their effect on an image says what they are.
  @Test func othersHaveNone() throws {
    let images = generator.uniform([2, 3, 8, 8])
    #expect(NoTrigger().parts(of: images).isEmpty)
    for task in try BPP().tasks(for: shape, seed: Seed(1), learned: [:]) {
      #expect(task.trigger.parts(of: images).isEmpty)
    }
  }

  /// The networks of published width, as `Benchmarks/peer_generators.py` has them, with random weights.
  @Test(arguments: [("ssba", 1_292_771), ("input-aware", 1_445_964), ("lira", 7_788_681)])
  func untrainedTriggersAreOfPublishedSize(_ attack: String, parameters: Int) throws {
    let made = try AttackKind.named(attack).make([:]).attack
    let learning = try #require(made as? any AttackWithUntrainedTrigger)
    let trigger = learning.untrainedTrigger(for: ImageShape(channels: 3, height: 32, width: 32), Generator(seed: 1))
    let network: Module? =
      switch trigger {
      case let trigger as GeneratedTrigger<SecretEncoder>: trigger.network
      case let trigger as GeneratedTrigger<TriggerNetworks>: trigger.network
      case let trigger as GeneratedTrigger<PerturbationNetwork>: trigger.network
      default: nil
      }
    #expect(try #require(network).parameters().reduce(0) { $0 + $1.count } == parameters)
    let images = generator.integers(0..<256, [2, 3, 32, 32]).to(.uint8)
    let stamped = trigger.stamp(images, generator)
    #expect(stamped.shape == images.shape && stamped.dtype == .uint8)
  }

  /// A smooth pattern like a learned one: from 0 to the amplitude.
  @Test func anUntrainedSmoothTriggerHasItsRange() {
    let trigger = LowFrequency().untrainedTrigger(for: ImageShape(channels: 3, height: 16, width: 16), generator)
    let change = trigger(Tensor.zeros([1, 3, 16, 16]), generator)
    #expect(change.min().item() == 0)
    expectClose(Double(change.max().item()), 0.2, tolerance: 1e-6)
  }
}
