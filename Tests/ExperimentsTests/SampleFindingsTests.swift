import Backdoor
import Evaluation
import Foundation
import Support
import TestFiles
import Testing
import Torch
@testable import Experiments
@testable import Vision

/// Eight training samples; 0, 3 and 6 poisoned, 3 and 5 rejected.
@Suite struct SampleFindingsTests {
  private let data = ImageDataset(
    name: "test", images: Tensor.arange(0..<(8 * 16), dtype: .float32).to(.uint8).reshaped([8, 1, 4, 4]),
    labels: Tensor([0, 1, 2, 0, 1, 2, 0, 1].map(Int64.init)), classNames: ["a", "b", "c"])
  private let outcome = DefenseOutcome(
    filtered: (kept: [0, 1, 2, 4, 6, 7], rejected: [3, 5]), suspicion: [0.1, 0.2, 0.3, 0.9, 0.4, 0.8, 0.0, 0.05],
    scores: [SampleScores(title: "loss, \"stage 2\"", values: [0, 1, 2, 3, 4, 5, 6, .nan], threshold: 4.5)])
  private var findings: SampleFindings { SampleFindings(outcome, data: data, poisoned: [0, 3, 6]) }

  @Test func theTableHasEverySample() {
    let lines = findings.table(in: ".").split(separator: "\n")
    #expect(lines.count == 9)
    #expect(lines[0] == "index,label,class,decision,kept,suspicion,rank,\"loss, \"\"stage 2\"\"\",poisoned")
    #expect(lines[4] == "3,0,a,rejected,0,0.9,1,3,1" && lines[7] == "6,0,a,kept,1,0,8,6,1")
    #expect(lines[8] == "7,1,b,kept,1,0.05,7,nan,0")
    let unknown = SampleFindings(outcome, data: data).table(in: ".").split(separator: "\n")
    #expect(unknown[4] == "3,0,a,rejected,0,0.9,1,3")
  }

  /// Files as seen from the folder of the table, and rows of files that hold many samples.
  @Test func theTableSaysWhereSamplesComeFrom() {
    var data = data
    data.sources = (0..<8).map { SampleSource(file: "in/a, b/\($0).png") }
    let files = SampleFindings(outcome, data: data).table(in: "in/out").split(separator: "\n")
    #expect(files[0].hasPrefix("index,path,label,") && files[3].hasPrefix("2,\"../a, b/2.png\",2,c,"))
    data.sources = SampleSource.rows(of: ["/x/1.bin", "/x/2.bin"], total: 8)
    let rows = SampleFindings(outcome, data: data.subset([7, 0, 1, 2, 3, 4, 5, 6])).table(in: "in").split(
      separator: "\n")
    #expect(rows[0].hasPrefix("index,path,row,label,") && rows[1].hasPrefix("0,/x/2.bin,3,1,b,"))
  }

  /// Of equal suspicions the first comes first; NaN is least suspicious.
  @Test func ranksBeginWithTheMostSuspicious() {
    #expect(SampleFindings.ranks([0.5, .nan, 2, 0.5, -1]) == [2, 5, 1, 3, 4])
  }

  @Test func aFilterThatTakesTooMuchIsAWarning() throws {
    func findings(_ kept: [Int]) -> SampleFindings {
      let rejected = data.complement(of: kept)
      return SampleFindings(DefenseOutcome(filtered: (kept: kept, rejected: rejected)), data: data, poisoned: [0])
    }
    #expect(findings([0, 1, 2, 3]).warning == nil, "half of the samples, and some of each class")
    #expect(findings([0, 1, 2]).warning?.contains("rejected 5 of 8 samples. Do not") == true)
    #expect(findings([0, 1, 3, 4, 6, 7]).warning?.contains("2 of 8 samples, among them all of c. Do not") == true)
    let folder = try TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path + "/run", id: "1")
    #expect(try findings([0, 1, 3, 4, 6, 7]).record(pictures: 0, in: directory)?.lostClasses == ["c"])
    #expect(try findings([0, 1, 2]).record(pictures: 0, in: directory)?.lostClasses == nil)
  }

  @Test func theRecordHasCountsHistogramsAndPictures() throws {
    let folder = try TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path + "/run", id: "1")
    let record = try #require(try findings.record(pictures: 2, in: directory))
    let detection = try #require(record.detection)
    #expect(
      detection.truePositiveRate == 1.0 / 3 && detection.falsePositiveRate == 1.0 / 5
        && detection.areaUnderROC == 6.0 / 15)
    let histogram = try #require(record.histograms.first)
    #expect(histogram.lower == 0 && histogram.upper == 6 && histogram.threshold == 4.5)
    #expect(histogram.clean.reduce(0, +) == 4 && histogram.poisoned.reduce(0, +) == 3)
    #expect([0, 20, 39].allSatisfy { histogram.poisoned[$0] == 1 } && histogram.clean[33] == 1)
    #expect(record.pictures.map(\.index) == [3, 5, 6, 0, 7, 1])
    #expect(record.pictures.map(\.kept) == [false, false, true, true, true, true])
    #expect(record.pictures.map(\.poisoned) == [true, false, true, true, false, false])
    for picture in record.pictures { #expect(FileManager.default.fileExists(atPath: directory.file(picture.file))) }
  }

  /// Covers 5 (rejected) and 6 (kept) are in no group but their own.
  @Test func coversAreKeptApart() throws {
    let covered = SampleFindings(outcome, data: data, poisoned: [0, 3], covers: [5, 6])
    let lines = covered.table(in: ".").split(separator: "\n")
    #expect(lines[0].hasSuffix(",poisoned,cover") && lines[4].hasSuffix(",1,0") && lines[6].hasSuffix(",0,1"))
    let folder = try TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path + "/run", id: "1")
    let record = try #require(try covered.record(pictures: 2, in: directory))
    let detection = try #require(record.detection)
    #expect(detection.coverCount == 2 && detection.coverRejected == 1 && detection.cleanRejected == 0)
    let histogram = try #require(record.histograms.first)
    #expect(histogram.clean.reduce(0, +) == 3 && histogram.poisoned.reduce(0, +) == 2)
    #expect(histogram.cover?.reduce(0, +) == 2)
    #expect(record.pictures.map(\.index) == [3, 5, 0, 6, 7, 1])
    #expect(record.pictures.map(\.cover) == [nil, true, nil, true, nil, nil])
  }

  @Test func aMapHasOnePointForEachFeature() throws {
    var outcome = DefenseOutcome()
    outcome.embeddings = [
      Embedding(title: "features", features: Generator(seed: 1).normal([6, 4]), indices: [7, 3, 1, 0, 5, 2])
    ]
    let folder = try TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path + "/run", id: "1")
    let findings = SampleFindings(outcome, data: data, poisoned: [0, 3])
    let record = try #require(try findings.record(pictures: 2, in: directory))
    #expect(record.detection == nil && record.filteringRates == nil && record.pictures.isEmpty && record.maps.isEmpty)
    var settings = EvaluationSettings()
    settings.mapClean = 1
    let progress = RecordingProgress()
    let map = try #require(findings.maps(settings, seed: 1, progress: progress).first)
    #expect(map.labels == [1, 0, 1, 0, 2, 2] && map.poisoned == [false, true, false, true, false, false])
    #expect(map.x.count == 6 && map.y.allSatisfy(\.isFinite))
    #expect(progress.messages == ["features: t-SNE of 6 points"])
    settings.mapClean = 0.5
    let half = try #require(findings.maps(settings, seed: 1, progress: progress).first)
    #expect(half.poisoned.count { $0 } == 2 && half.poisoned.count == 4, "all of the poison, half of the rest")
    settings.mapPoints = 0
    #expect(findings.maps(settings, seed: 1, progress: progress).isEmpty)
  }

  /// 30 of 300 candidates are poisoned.
  @Test(arguments: [
    (1.0, 0.1, 1000, 30, 27), (0.3, 0.1, 1000, 9, 27), (1, 1, 300, 30, 270), (1, 1, 100, 10, 90), (1, 0.1, 19, 10, 9),
    (0, 0, 100, 0, 0),
  ]) func whoIsOnAMap(_ poison: Double, _ clean: Double, _ most: Int, _ bad: Int, _ good: Int) {
    var settings = EvaluationSettings()
    (settings.mapPoisoned, settings.mapClean, settings.mapPoints) = (poison, clean, most)
    let poisoned = (0..<300).map { $0 % 10 == 4 }
    let rows = MapSelection(settings).rows(of: poisoned, Seed(1).generator("map"))
    #expect(rows.count { poisoned[$0] } == bad && rows.count { !poisoned[$0] } == good)
    #expect(rows == Set(rows).sorted())
    if good == 27 {
      #expect(rows != MapSelection(settings).rows(of: poisoned, Seed(2).generator("map")), "drawn by seed")
    }
  }

  @Test func aDefenseThatSaysNothingLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let directory = try RunDirectory.create(at: folder.path + "/run", id: "1")
    #expect(try SampleFindings(DefenseOutcome(), data: data).record(pictures: 2, in: directory) == nil)
  }
}
