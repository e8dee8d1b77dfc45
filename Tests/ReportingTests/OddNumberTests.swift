import Evaluation
import Files
import Foundation
import Testing

@testable import Experiments
@testable import Reporting

/// Records and metrics from elsewhere, with numbers that no run writes: an error or a report, and no crash.
struct OddNumberTests {
  private static let odd: [JSONValue] = [
    .int(.max), .int(.min), .int(-1), .int(0), .int(1 << 40), .double(1e17), .double(-1e17), .double(1e300),
    .double(5e-324),
    .string("NaN"), .string("-Infinity"), .array([]),
  ]

  /// Everything that a record can hold.
  private static let full: RunRecord = {
    var record = ReportExample.record
    record.samples = [ReportExample.sample()]
    record.perturbations = [
      .init(
        index: 3, label: 2, clean: "samples/a.png", perturbation: "samples/a.png", magnification: 4,
        perturbed: "samples/a.png",
        predictions: [.init(model: "before", prediction: .init(label: 1, confidence: 0.5))])
    ]
    record.findings = .init(
      detection: .init(rejected: [1, 3], suspicion: [0, 1, 0.5, 0.2], poisoned: [1, 2], count: 4),
      histograms: [.init(title: "loss", lower: 0, upper: 1, clean: [4, 2], poisoned: [0, 3], threshold: 0.5)],
      maps: [.init(title: "map", x: [0, 1], y: [2, 3], labels: [0, 4], poisoned: [false, true])],
      pictures: [.init(index: 1, label: 2, poisoned: true, kept: false, suspicion: 0.5, file: "samples/a.png")])
    record.lastEpochs = .init(stage: "train", epochs: 10, accuracy: 0.5, attackSuccessRate: 0.5, robustAccuracy: 0.1)
    record.defenseEffectiveness = 0.9
    record.seconds = 12
    return record
  }()

  /// The tree with one of its numbers replaced, for each of them.
  private static func variants(_ tree: JSONValue, _ value: JSONValue) -> [JSONValue] {
    switch tree {
    case .int, .double: return [value]
    case .array(let elements):
      return [.array(Array(elements.dropLast()))]
        + elements.indices.flatMap { index in
          variants(elements[index], value).map { changed in
            var copy = elements
            copy[index] = changed
            return .array(copy)
          }
        }
    case .object(let members):
      return members.flatMap { key, member in
        variants(member, value).map { changed in
          var copy = members
          copy[key] = changed
          return .object(copy)
        }
      }
    default: return []
    }
  }

  @Test(arguments: odd)
  func aRecord(_ value: JSONValue) throws {
    let example = try ReportExample()
    var reports = 0
    for tree in Self.variants(try JSONValue(encoding: Self.full), value) {
      try AtomicFile.write(tree.compactJSON, to: example.directory.recordPath)
      guard (try? Report.write(runDirectory: example.path)) != nil, let record = try example.directory.readRecord()
      else { continue }
      _ = Report.terminalTable(record) + Report.markdownTable([record])
      reports += 1
    }
    #expect(reports > 0)
  }

  /// Sums of counts, and lists that belong together.
  @Test func aRecordThatDoesNotAddUp() throws {
    for change: (inout RunRecord) -> Void in [
      { $0.findings?.histograms[0].clean = [.max, .max] }, { $0.findings?.histograms[0].clean = [1, 2, 3] },
      { $0.findings?.maps[0].labels = [0] }, { $0.findings?.maps[0].x = [1, 2, 3] },
      { $0.findings?.maps[0].labels[0] = .max },
      { $0.measurements[0].cleanCount = -2 }, { $0.dataset?.trainCount = .max },
    ] {
      var record = Self.full
      change(&record)
      let text = try record.encoded()
      let error = #expect(throws: RunStoreError.self) { try RunRecord.decoded(from: text.utf8) }
      guard case .damaged = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    #expect(try RunRecord.decoded(from: Self.full.encoded().utf8).findings == Self.full.findings)
  }

  @Test(arguments: [1e17, -1e17, 1e308, 5e-324, -0.0, .nan, .infinity, -.infinity, 9.3e18, -9.3e18])
  func metrics(_ value: Double) throws {
    let example = try ReportExample()
    for (epoch, other) in [(4, 0.5), (999_999_999, -1e308), (0, value)] {
      for name in [
        "accuracy", "trainLoss", "sharedAdversarialRisk", "learningRate", "seconds", "imagesPerSecond", "otherShare",
        "x",
      ] {
        try example.directory.metrics.append(
          MetricsEntry(stage: "train", epoch: epoch, values: [name: epoch == 4 ? value : other]))
      }
    }
    #expect(try example.html().contains("<svg"))
  }
}
