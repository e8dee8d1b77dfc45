import Evaluation
import Foundation
import Support
import Testing

@testable import Experiments
@testable import Reporting

@Suite struct FindingsTests {
  private static let findings = RunRecord.Findings(
    detection: DetectionMetrics(rejected: Array(0..<300), suspicion: nil, poisoned: Array(0..<200), count: 1_000),
    histograms: [
      .init(
        title: "tuningLoss", lower: 0, upper: 4, clean: [600, 150, 40, 10], poisoned: [0, 0, 50, 150], threshold: 2)
    ],
    maps: [.init(title: "features", x: [0, 1, 2], y: [0, 1, 0], labels: [0, 3, 3], poisoned: [false, true, false])],
    pictures: [
      .init(index: 5, label: 3, poisoned: true, kept: false, suspicion: 0.75, file: "samples/a.png"),
      .init(index: 9, label: 4, poisoned: false, kept: true, suspicion: 0.25, file: "samples/a.png"),
    ])

  @Test func theSectionShowsNumbersDrawingsAndPictures() throws {
    let example = try ReportExample { $0.findings = Self.findings }
    try example.write(ReportExample.png, to: "samples/a.png")
    let html = try example.html()
    for text in [
      "It kept 700 of 1,000 samples; 100.0% of the poison and 12.5% of the clean samples are among the rejected.",
      "200 of 200 (100.0%)", "100 of 800 (12.5%)", "Tuning loss", "clean (800)", "poisoned (200)", "threshold 2",
      "Poisoned and rejected", "Clean and kept", "Training image 5, labelled cat", "cat 0.75",
      "class=\"poisoned\" points=",
      "0.667: 200 of the 300 rejected samples are poisoned",
      "the first and the last bar also hold what lies beyond them",
      "t-SNE; colours are the given labels",
    ] { #expect(html.contains(text), "\(text)") }
    #expect(!html.contains("false alarms") && !html.contains("{{"))
  }

  @Test func coverSamplesHaveTheirOwnGroup() throws {
    let example = try ReportExample { record in
      record.poison?.coverCount = 60
      record.findings = RunRecord.Findings(
        detection: DetectionMetrics(
          rejected: Array(0..<300), suspicion: nil, poisoned: Array(0..<200), covers: Array(250..<310), count: 1_000),
        histograms: [
          .init(
            title: "loss", lower: 0, upper: 4, clean: [740, 0], poisoned: [0, 200], cover: [30, 30], threshold: nil)
        ],
        pictures: [
          .init(index: 9, label: 4, poisoned: false, cover: true, kept: false, suspicion: 0.25, file: "samples/a.png")
        ])
    }
    try example.write(ReportExample.png, to: "samples/a.png")
    let html = try example.html()
    for text in [
      "60 training images, changed, with their true labels", "50 of 60 (83.3%)", "50 of 740 (6.8%)",
      "0.800: 200 of the 250 rejected samples are poisoned", "cover (60)", "class=\"area s2\"",
      "Cover samples rejected",
    ] { #expect(html.contains(text), "\(text)") }
    #expect(!html.contains("false alarms"))
  }

  @Test func withoutPoisonNothingIsSaidAboutIt() throws {
    let html = try ReportExample { record in
      record.findings = RunRecord.Findings(
        detection: DetectionMetrics(rejected: [1], suspicion: nil, poisoned: [], count: 10),
        pictures: [.init(index: 1, label: 3, poisoned: false, kept: false, suspicion: nil, file: "samples/a.png")])
    }.html()
    #expect(html.contains("It kept 9 of 10 samples. Every sample") && html.contains("<h3>Rejected"))
    #expect(!html.contains("Poison rejected"))
  }

  /// Four bins of shares .75, .1875, .05, .0125: the first bar reaches three quarters of a scale to 1.
  @Test func barsAreSharesOfTheirOwnGroup() throws {
    let svg = HistogramChart.draw(try #require(Self.findings.histograms.first))
    let paths = svg.components(separatedBy: "<path ").dropFirst()
    #expect(paths.count == 2)
    func heights(_ path: String) -> [Double] {
      path.components(separatedBy: "V").dropFirst().compactMap { Double($0.prefix { "0123456789.".contains($0) }) }
    }
    let clean = heights(try #require(paths.first))
    let zero = try #require(clean.last)
    let parts = clean.dropLast().map { (zero - $0) / (zero - clean[0]) }
    for (part, expected) in zip(parts, [1, 0.25, 1.0 / 15, 1.0 / 60]) { #expect(abs(part - expected) < 0.002) }
  }

  @Test func namesBecomeWords() {
    #expect(StageTitle.words("unlabeledLoss") == "Unlabeled loss")
    #expect(StageTitle.words("dbd-mixmatch") == "Dbd mixmatch")
    #expect(StageTitle.words("a threshold") == "A threshold")
  }

  @Test func whatAMethodReportsIsDrawn() {
    let entries = (1...3).map { epoch in
      MetricsEntry(
        stage: "x", epoch: epoch,
        values: [
          "uncertainLoss": 0.5, "keptShare": 0.7, "poisonShareLearned": 0.1, "temperature": Double(epoch), "seconds": 1,
        ])
    }
    let charts = StageCharts.all(from: entries).flatMap(\.charts)
    #expect(charts.map(\.title) == ["Parts of the loss", "Shares", "Temperature"])
    #expect(charts[1].series.map(\.name) == ["Poison among the samples learned from", "Kept share"])
  }

  /// Where the share of poison was least, if it rose by a quarter afterwards.
  @Test func theTurningPointOfPoisonIsNamed() {
    func title(_ shares: [Double]) -> String? {
      let entries = shares.enumerated().map {
        MetricsEntry(stage: "prl-at", epoch: $0 + 1, values: ["poisonShareLearned": $1])
      }
      return StageCharts.all(from: entries).flatMap(\.charts).first?.title
    }
    #expect(title([0.2, 0.08, 0.09, 0.15]) == "Shares: poison least in epoch 2 (8.0%), then rising to 15.0%")
    #expect(title([0.2, 0.08, 0.1]) == "Shares", "not by more than a quarter")
    #expect(title([0.2, 0.1]) == "Shares", "still falling")
  }

  @Test func manyHelperStagesAreFolded() throws {
    let example = try ReportExample()
    for number in 1...8 {
      try example.directory.metrics.append(MetricsEntry(stage: "learner-\(number)", epoch: 1, values: ["trainLoss": 1]))
    }
    let html = try example.html()
    #expect(
      html.contains("<strong>Helper stages</strong> <small>8 stages</small>") && html.contains("<h3>Learner 8</h3>"))
  }

  @Test func stagesAreCalledByTheirMethods() {
    #expect(
      ["sau", "dbd-mixmatch", "prl-at", "ispl-learners", "self-expansion"].map(StageTitle.title)
        == ["SAU", "DBD MixMatch", "PRL-AT", "Weak learners", "Self expansion"])
  }

  @Test func aFilterAndTheLastEpochsStandInTheTerminalTable() {
    var record = ReportExample.record
    record.findings = Self.findings
    record.lastEpochs = .init(stage: "x", epochs: 10, accuracy: 0.9, attackSuccessRate: 0.02, robustAccuracy: nil)
    record.measurements[1].targetedMisclassification = 0.031
    let text = Report.terminalTable(record)
    #expect(
      text.contains(
        "Kept 700 of 1,000 samples; rejected 100.0% of the poison and 12.5% of the clean samples; precision 0.667."))
    #expect(text.contains("Mean of the last 10 measured epochs: ACC 90.0%, ASR 2.0%.") && text.contains("3.1%"))
  }

  /// Twelve epochs of one stage after two of another: means of epochs 3 to 12, which are the worst.
  @Test func meansOfTheLastTenEpochs() throws {
    let first = (1...2).map { MetricsEntry(stage: "train", epoch: $0, values: ["accuracy": 0.1]) }
    let last = (1...12).map {
      MetricsEntry(
        stage: "prl-at", epoch: $0,
        values: ["accuracy": Double(13 - $0) / 100, "attackSuccessRate": Double($0) / 100, "robustAccuracy": 0.4])
    }
    let helper = [MetricsEntry(stage: "other", epoch: 1, values: ["trainLoss": 1])]
    let means = try #require(RunRecord.EpochMeans(first + last + helper))
    #expect(means.stage == "prl-at" && means.epochs == 10)
    #expect(abs(means.accuracy - 0.055) < 1e-12)
    #expect(means.attackSuccessRate.map { abs($0 - 0.075) < 1e-12 } == true)
    #expect(means.robustAccuracy.map { abs($0 - 0.4) < 1e-12 } == true)
    #expect(RunRecord.EpochMeans(Array(first.prefix(1))) == nil)
  }
}
