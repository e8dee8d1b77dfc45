// SIG (Barni, Kallas, Tondi 2019, arXiv:1902.11237): a horizontal sinusoid added to images of the target class, which keep
// their label.
//
//   v(i, j) = delta sin(2 pi j f / W),   j the column, from 0
//
// The published attack is clean-label: the rate is still a share of the whole training set, drawn inside the target
// class, and one that the class cannot hold is an error. Its authors also use a stronger signal at test time than in
// training: `testDelta`.

public import Backdoor
import Foundation
public import Support
public import Torch
public import Vision

public struct Sinusoid: Attack {
  public static let id = "sig"
  public static let summary = "A sinusoid over the columns, added to images of the target class that keep their label."
  public static let paper = "Barni et al. 2019, A New Backdoor Attack in CNNs by Training Set Corruption (SIG)"

  public struct Configuration: PoisoningSettings {
    public var rate = 0.03
    public var mapping = MappingKind.cleanLabel
    public var target = 0
    public var source = 1
    public var shift = 1
    public var excludeTarget = false
    public var delta = 40.0
    public var testDelta: Double? = nil
    public var frequency = 6.0
    public var triggers = 1
    public init() {}

    public static let settings: [Setting] =
      poisoningSettings("20 to 40% of the target class; SAU paper: .1 of CIFAR-10, all of it") + [
        Setting("delta", "Amplitude.", unit: "1/255 of the pixel range", range: 0...255, source: "benchmarks: 40"),
        Setting(
          "testDelta", "Amplitude at test time; null for the same.", unit: "1/255 of the pixel range", range: 0...255,
          source: "Barni et al. use a larger one at test time"),
        Setting("frequency", "Periods over the width.", unit: "periods", range: 0...1000, source: "Barni et al.: 6"),
        triggersSetting("has 3 k periods more"),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }
  public var selection: PoisonSelection { configuration.poisonSelection }

  public func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask] {
    let c = configuration
    return try (0..<c.triggers).map { number in
      let periods = c.frequency + Double(3 * number)
      func signal(_ delta: Double) -> AddedPattern { Self.signal(delta: delta, periods: periods, shape: shape) }
      return BackdoorTask(
        name: "\(periods.formatted()) periods", trigger: signal(c.testDelta ?? c.delta),
        mapping: try c.labelMapping(ofTrigger: number, among: c.triggers), trainingTrigger: signal(c.delta))
    }
  }

  /// - Parameter delta: amplitude, in 1/255.
  static func signal(delta: Double, periods: Double, shape: ImageShape) -> AddedPattern {
    let row = (0..<shape.width).map { column in
      Float(delta / 255 * sin(2 * .pi * Double(column) * periods / Double(shape.width)))
    }
    let rows = [[Float]](repeating: row, count: shape.channels * shape.height)
    return AddedPattern(pattern: rows.flatMap { $0 }, shape: shape)
  }
}
