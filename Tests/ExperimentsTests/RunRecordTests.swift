import Foundation
import Support
import Testing

@testable import Experiments

struct RunRecordTests {
  @Test func everyFieldSurvivesARoundTrip() throws {
    let record = RunRecordExample.full()
    let text = try record.encoded()
    #expect(try RunRecord.decoded(from: text.utf8) == record)
    #expect(try RunRecord.decoded(from: text.utf8).encoded() == text)
  }

  @Test func theTextIsReadableAndDated() throws {
    let text = try RunRecordExample.full().encoded()
    #expect(text.contains("\"formatVersion\": 1"))
    #expect(text.contains("\"created\": \"2025-11-21T07:32:10Z\""))
    #expect(text.contains("\"clean\": \"samples/3-clean.png\""))
    #expect(text.hasSuffix("}\n"))
  }

  @Test func whatIsOptionalMayBeAbsent() throws {
    let text = """
      {"formatVersion": 1, "id": "a", "title": "t", "status": "running", "created": "2025-11-21T07:32:10Z", "configuration": {},
       "environment": {"antidote": "0", "libtorch": "2", "swift": "6", "os": "o", "cpu": "c", "threads": 1, "device": "cpu",
       "precision": "float32"}, "addedByALaterVersion": 5}
      """
    let record = try RunRecord.decoded(from: Data(text.utf8))
    #expect(record.measurements.isEmpty && record.samples.isEmpty && record.flags.isEmpty)
    #expect(record.dataset == nil && record.finished == nil && record.defenseEffectiveness == nil)
  }

  @Test func notANumberSurvives() throws {
    var record = RunRecordExample.full()
    record.measurements[0].accuracy = .nan
    record.measurements[0].robustAccuracy = .infinity
    let read = try RunRecord.decoded(from: try record.encoded().utf8)
    #expect(read.measurements[0].accuracy.isNaN)
    #expect(read.measurements[0].robustAccuracy == .infinity)
  }

  @Test func anotherFormatVersionIsRefused() throws {
    let text = try RunRecordExample.full().encoded()
      .replacingOccurrences(of: "\"formatVersion\": 1", with: "\"formatVersion\": 2")
    let error = #expect(throws: RunStoreError.self) {
      try RunRecord.decoded(from: Data(text.utf8), path: "r/record.json")
    }
    #expect(error == .unknownFormat(path: "r/record.json", found: 2))
    #expect(
      error?.description
        == "r/record.json has record format 2; this version of antidote reads format 1. "
        + "Open it with the version that wrote it, or update antidote.")
  }

  @Test(arguments: [
    ("{\"formatVersion\": 1", "it is not valid JSON (line 1, column 20: A comma or a closing brace is expected here.)"),
    ("{\"formatVersion\": 1}", "the key \"id\" is missing at the top level"),
    ("{\"formatVersion\": 1, \"id\": 5}", "a value of another type than String stands at id"),
  ])
  func damageIsNamed(text: String, reason: String) {
    #expect(throws: RunStoreError.damaged(path: "record.json", reason: reason)) {
      try RunRecord.decoded(from: Data(text.utf8))
    }
  }

  /// 1,000 and 600 images in 40 s, and another stage.
  @Test func stagesAddUpTheirEpochs() {
    let stages = RunRecord.Stage.all(in: [
      MetricsEntry(stage: "train", epoch: 1, values: ["seconds": 10, "imagesPerSecond": 100]),
      MetricsEntry(stage: "train", epoch: 2, values: ["seconds": 30, "imagesPerSecond": 20]),
      MetricsEntry(stage: "ft", epoch: 1, values: ["seconds": 5, "imagesPerSecond": 8]),
    ])
    #expect(stages.map(\.name) == ["train", "ft"] && stages.map(\.epochs) == [2, 1])
    #expect(stages.map(\.seconds) == [40, 5] && stages.map(\.imagesPerSecond) == [40, 8])
  }

  @Test func theDurationIsThatOfTheProcessesOrElseOfTheStages() {
    var record = RunRecordExample.full()
    #expect(record.duration == 5700.5)
    record.seconds = nil
    #expect(record.duration == 5420.5)
    record.stages = []
    #expect(record.duration == nil)
  }

  @Test func beforeAndAfterAreFoundByLabel() {
    var record = RunRecordExample.full()
    #expect(record.before?.accuracy == 0.932)
    #expect(record.after?.accuracy == 0.925)
    record.measurements.removeFirst()
    #expect(record.before == nil)
  }
}
