import Evaluation
import Foundation
import Testing

@testable import Experiments

struct RunFlagsTests {
  private func record(_ change: (inout RunRecord) -> Void = { _ in }) -> RunRecord {
    var record = RunRecordExample.full()
    change(&record)
    return record
  }

  private func flags(_ change: (inout RunRecord) -> Void) -> [RunFlag?] {
    RunFlags.raised(by: record(change)).map(\.flag)
  }

  @Test func aGoodRunRaisesNone() {
    #expect(RunFlags.raised(by: record()).isEmpty)
    #expect(
      RunFlags.raised(by: record(), metrics: [MetricsEntry(stage: "train", epoch: 1, values: ["trainLoss": 2])]).isEmpty
    )
  }

  @Test func chanceAccuracy() {
    // Ten classes, 10,000 images: chance .1, three standard errors .009, 1.2 times chance .12.
    #expect(
      flags { $0.measurements = [.init(label: "before", accuracy: 0.12, cleanCount: 10_000)] } == [.chanceAccuracy])
    #expect(flags { $0.measurements = [.init(label: "before", accuracy: 0.121, cleanCount: 10_000)] } == [])
    // 400 images: a standard error is .015, so .145 is within three and .146 is not.
    #expect(flags { $0.measurements = [.init(label: "before", accuracy: 0.145, cleanCount: 400)] } == [.chanceAccuracy])
    #expect(flags { $0.measurements = [.init(label: "before", accuracy: 0.146, cleanCount: 400)] } == [])
    let raised = RunFlags.raised(
      by: record { $0.measurements = [.init(label: "after", accuracy: 0.1, cleanCount: 1_000)] })
    #expect(raised == [RaisedFlag(.chanceAccuracy, "Clean accuracy after is 10.0%; guessing gives 10.0%.")])
  }

  @Test func weakAttack() {
    #expect(flags { $0.measurements[0].attackSuccessRate = 0.5 } == [])
    #expect(flags { $0.measurements[0].attackSuccessRate = 0.499 } == [.weakAttack])
    #expect(flags { $0.measurements[0].attackSuccessRate = nil } == [])
    #expect(
      RunFlags.raised(by: record { $0.measurements[0].attackSuccessRate = 0.2 }).first?.message
        == "The attack succeeds on 20.0% of triggered images before any defense.")
  }

  @Test func notFinite() {
    let raised = RunFlags.raised(by: record { $0.measurements[1].sharedAdversarialRisk = .nan })
    #expect(raised == [RaisedFlag(.notFinite, "The value sharedAdversarialRisk is not finite for the model after.")])
    #expect(flags { $0.measurements[1].robustAccuracy = .infinity }.contains(.notFinite))
    let metrics = [
      MetricsEntry(stage: "train", epoch: 1, values: ["trainLoss": 1]),
      MetricsEntry(stage: "train", epoch: 2, values: ["accuracy": 0.1, "trainLoss": .nan]),
    ]
    #expect(
      RunFlags.raised(by: record(), metrics: metrics)
        == [RaisedFlag(.notFinite, "The value trainLoss is not finite in epoch 2 of stage train.")])
  }

  @Test func fewTestImages() {
    #expect(flags { $0.measurements[1].triggeredCount = 200 } == [])
    let raised = RunFlags.raised(by: record { $0.measurements[1].triggeredCount = 199 })
    #expect(raised == [RaisedFlag(.fewTestImages, "Measured on 199 triggered test images.")])
    #expect(flags { $0.measurements[0].riskCount = 1 } == [.fewTestImages])
    #expect(flags { $0.measurements[0].cleanCount = 100 } == [.fewTestImages])
  }

  @Test func accuracyLoss() {
    func lost(_ after: Double) -> [RunFlag?] {
      flags {
        $0.measurements[0].accuracy = 0.95
        $0.measurements[1].accuracy = after
        $0.measurements[1].robustAccuracy = after
      }
    }
    #expect(lost(0.85) == [])  // Ten points are not over ten points.
    #expect(lost(0.849) == [.accuracyLoss])
    #expect(lost(0.99) == [])
    let raised = RunFlags.raised(by: record { $0.measurements[1].accuracy = 0.7 })
    #expect(raised.map(\.message) == ["Clean accuracy fell by 23.2 points, from 93.2% to 70.0%."])
  }

  @Test func notRecovered() {
    #expect(flags { $0.measurements[1].robustAccuracy = 0.725 } == [])
    #expect(flags { $0.measurements[1].robustAccuracy = 0.72 } == [.notRecovered])
    // A backdoor that is still there explains a low robust accuracy by itself.
    #expect(
      flags {
        $0.measurements[1].robustAccuracy = 0.1
        $0.measurements[1].attackSuccessRate = 0.9
      } == [])
  }

  @Test func aFlagOfALaterVersionIsKept() throws {
    let text = "{\"id\": \"from-the-future\", \"message\": \"m\"}"
    let raised = try JSONDecoder().decode(RaisedFlag.self, from: Data(text.utf8))
    #expect(raised.flag == nil && raised.id == "from-the-future")
  }

  @Test func aFilterThatTakesTooMuchOrTheWrongOnes() {
    func detection(rejected: Int, poisoned: Int, suspicion: [Double]? = nil) -> DetectionMetrics {
      DetectionMetrics(
        rejected: Array(0..<rejected), suspicion: suspicion, poisoned: Array(0..<poisoned), count: 10)
    }
    func raised(_ detection: DetectionMetrics, lost: [String]? = nil) -> [RunFlag?] {
      flags { $0.findings = .init(detection: detection, lostClasses: lost) }
    }
    #expect(raised(detection(rejected: 5, poisoned: 2)) == [])
    #expect(raised(detection(rejected: 6, poisoned: 2)) == [.filterRejectsMost])
    #expect(raised(detection(rejected: 1, poisoned: 1), lost: ["cat"]) == [.filterRejectsMost])
    let rising = (0..<10).map(Double.init)
    #expect(raised(detection(rejected: 2, poisoned: 2, suspicion: rising)) == [.filterBelowChance])
    #expect(raised(detection(rejected: 2, poisoned: 2, suspicion: rising.reversed())) == [])
  }

  /// The loss in points is that of the percentages beside it.
  @Test func theLossIsThatOfTheShownPercentages() {
    let raised = RunFlags.raised(
      by: record {
        $0.measurements[0].accuracy = 0.9666
        $0.measurements[1].accuracy = 0.8444
        $0.measurements[1].robustAccuracy = 0.8444
      })
    #expect(raised.first?.message == "Clean accuracy fell by 12.3 points, from 96.7% to 84.4%.", "\(raised)")
  }
}
