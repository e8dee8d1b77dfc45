import Files
import Foundation
import Reporting
import Support
import TestFiles

@testable import Experiments

/// A finished run, in a folder beside which a test may put other files; both are gone when the test is.
final class ReportExample {
  let folder: TemporaryFolder
  /// The run's directory.
  let path: String
  let directory: RunDirectory

  /// A PNG file of one pixel.
  static let png =
    Data(
      base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    ?? Data()

  init(_ change: (inout RunRecord) -> Void = { _ in }) throws {
    folder = try TemporaryFolder()
    path = folder.path("run")
    directory = try RunDirectory.create(at: path, id: Self.record.id)
    var record = Self.record
    change(&record)
    try directory.write(record)
    for (epoch, rate) in [(1, 0.4), (2, 0.77), (3, 0.981)] {
      try directory.metrics.append(
        MetricsEntry(
          stage: "train", epoch: epoch,
          values: ["trainLoss": 1 / Double(epoch), "learningRate": 0.1, "accuracy": 0.9, "attackSuccessRate": rate]))
    }
    try directory.metrics.append(
      MetricsEntry(
        stage: "purify", epoch: 1,
        values: [
          "accuracy": 0.925, "sharedAdversarialRisk": 0.123, "backdoorRisk": 0.4, "universalRisk": 0.8,
          "targetedSubRisk": 0.3, "trainLoss": .nan,
        ]))
  }

  func write(_ data: Data, to name: String) throws { try folder.write("run/\(name)", data) }

  /// The written report.
  func html(plotly: String? = nil) throws -> String {
    try String(contentsOfFile: Report.write(runDirectory: path, plotly: plotly), encoding: .utf8)
  }

  static let record = RunRecord(
    id: "9f2c4a7be1d04c55", title: "BadNets against SAU", status: .finished,
    created: Date(timeIntervalSince1970: 1_763_710_330),
    command: "antidote run badnets.yaml --seed 7",
    configuration: .object([
      "seed": .int(7), "attack": .object(["rate": .double(0.1), "patch": .object(["size": .int(3)])]),
      "training": .object(["milestones": .array([.int(60), .int(90)])]),
    ]),
    environment: .init(
      antidote: "0.1.0", libtorch: "2.9.1", swift: "6.3.1", os: "Debian 12", cpu: "Xeon", threads: 2, device: "cpu",
      precision: "float32"),
    dataset: .init(
      name: "CIFAR-10", trainCount: 50_000, testCount: 10_000,
      classNames: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
      channels: 3, height: 32,
      width: 32
    ),
    poison: .init(
      attack: "BadNets", summary: "A white square.", rate: 0.1, poisonedCount: 4_999, mapping: "every class to class 0",
      targetLabel: 0),
    defense: .init(name: "SAU"),
    stages: [.init(name: "train", seconds: 5420, epochs: 20, imagesPerSecond: 184.6, peakMemoryBytes: 2 << 30)],
    measurements: [
      .init(
        label: "before", accuracy: 0.932, cleanCount: 10_000, attackSuccessRate: 0.981, robustAccuracy: 0.017,
        cleanTargetRate: 0.009, triggeredCount: 9_000,
        sharedAdversarialRisk: 0.97, universalSubRisk: 0.75, riskCount: 1_000, riskAimedCount: 880),
      .init(
        label: "after", accuracy: 0.925, cleanCount: 10_000, attackSuccessRate: 0.009, robustAccuracy: 0.901,
        cleanTargetRate: 0.008, triggeredCount: 9_000,
        sharedAdversarialRisk: 0.054, universalSubRisk: 0.25, riskCount: 1_000, riskAimedCount: 880),
    ],
    riskSearch: "linf radius 0.2, 5 steps of 0.2 from max, as in the defense",
    flags: [RaisedFlag(.fewTestImages, "Measured on 150 test images.")])

  static func sample(clean: String = "samples/a.png", triggered: String = "samples/a.png") -> RunRecord.Sample {
    RunRecord.Sample(
      index: 17, label: 3, clean: clean, triggered: triggered,
      predictions: [
        .init(
          model: "before", clean: .init(label: 3, confidence: 0.912), triggered: .init(label: 0, confidence: 0.987)),
        .init(model: "after", clean: .init(label: 5, confidence: 0.6), triggered: .init(label: 3, confidence: 0.8)),
      ])
  }
}
