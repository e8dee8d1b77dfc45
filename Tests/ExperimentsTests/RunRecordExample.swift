import Files
import Foundation
import Support

@testable import Experiments

/// A record with every field set, and a folder for a test's files.
enum RunRecordExample {
  static func full(id: String = "9f2c4a7be1d0") -> RunRecord {
    RunRecord(
      id: id, title: "BadNets against SAU", status: .failed, failure: "out of memory",
      created: Date(timeIntervalSince1970: 1_763_710_330),
      finished: Date(timeIntervalSince1970: 1_763_716_471), seconds: 5700.5, command: "antidote run --seed 7",
      configuration: .object([
        "seed": .int(7), "rate": .double(0.1), "names": .array([.string("a"), .null, .bool(true)]),
      ]),
      environment: .init(
        antidote: "0.1.0", libtorch: "2.9.1", swift: "6.3.1", os: "Debian 12", cpu: "Xeon", threads: 2, device: "cpu",
        precision: "float32",
        memory: 25_200_000_000),
      dataset: .init(
        name: "CIFAR-10", trainCount: 50_000, testCount: 10_000, classNames: (0..<10).map { "class\($0)" }, channels: 3,
        height: 32,
        width: 32),
      poison: .init(
        attack: "BadNets", summary: "A white square.", rate: 0.1, poisonedCount: 5_000,
        mapping: "every class to class 0", targetLabel: 0),
      defense: .init(name: "SAU", summary: "Ten epochs."),
      stages: [
        .init(name: "train", seconds: 5420.5, epochs: 20, imagesPerSecond: 184.6, peakMemoryBytes: 1_900_000_000)
      ],
      measurements: [
        .init(
          label: "before", accuracy: 0.932, cleanCount: 10_000, attackSuccessRate: 0.981, robustAccuracy: 0.017,
          triggeredCount: 9_000,
          backdoorRisk: 0.981, adversarialRisk: 0.998, sharedAdversarialRisk: 0.97, riskCount: 1_000),
        .init(
          label: "after", accuracy: 0.925, cleanCount: 10_000, attackSuccessRate: 0.009, robustAccuracy: 0.901,
          triggeredCount: 9_000),
      ],
      defenseEffectiveness: 0.9825, flags: [RaisedFlag(.fewTestImages, "Measured on 150 test images.")],
      samples: [
        .init(
          index: 3, label: 2, target: 0, clean: "samples/3-clean.png", triggered: "samples/3-triggered.png",
          difference: "samples/3-difference.png", magnification: 4,
          predictions: [
            .init(
              model: "before", clean: .init(label: 2, confidence: 0.9), triggered: .init(label: 0, confidence: 0.99))
          ])
      ],
      perturbations: [
        .init(
          index: 4, label: 5, clean: "samples/4-clean.png", perturbation: "samples/4-perturbation.png",
          magnification: 2,
          perturbed: "samples/4-perturbed.png",
          predictions: [.init(model: "after", prediction: .init(label: 5, confidence: 0.8))])
      ])
  }
}
