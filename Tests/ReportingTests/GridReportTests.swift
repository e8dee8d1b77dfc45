import Experiments
import Files
import Foundation
import Grids
import Support
import TestFiles
import TestRuns
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

@testable import Reporting

struct GridReportTests {
  private func write(_ samples: [SampleRun], in folder: String) throws {
    for (number, sample) in samples.enumerated() { try sample.write(in: folder, "runs/run-\(number)") }
  }

  private var samples: [SampleRun] {
    ["badnets", "wanet"].flatMap { attack in
      [("sau", 0.02), ("ft", 0.3)].flatMap { defense, rate in
        [0, 1].map { seed in
          SampleRun { run in
            (run.attack, run.defense, run.seed) = (attack, defense, seed)
            run.attackSuccessRate = rate + 0.01 * Double(seed)
          }
        }
      }
    }
  }

  private func report(
    _ folder: String, layout: ResultGrid.Layout = .init(), charts: [GridChartRequest] = []
  ) throws -> (html: String, markdown: String, files: Report.GridFiles) {
    let files = try Report.writeGrid(
      folder: folder, runs: RunIndex(of: folder).runs(), layout: layout, charts: charts,
      command: "antidote grid report x")
    return (
      try String(contentsOfFile: files.page, encoding: .utf8),
      try String(contentsOfFile: files.markdown, encoding: .utf8),
      files
    )
  }

  @Test func thePageHoldsTheTables() throws {
    try withTemporaryFolder { folder in
      try write(
        samples + [SampleRun { ($0.defense, $0.status, $0.more) = ("nc", "failed", "\"failure\": \"no memory\"") }],
        in: folder)
      try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/runs/run-0/report.html"))
      let (html, markdown, files) = try report(folder)
      #expect(html.hasPrefix("<!DOCTYPE html>") && html.hasSuffix("</html>\n") && !html.contains("Optional("))
      for text in [
        "8 finished runs, 1 more not finished: 2 attacks, 2 defenses, seeds 0, 1.",
        "means and standard deviations (n − 1) over 2 seeds", "<td data-value=\"0.025\" class=\"best\">",
        ">2.5</a> <small>± 0.7</small>", "class=\"second\"", "<a href=\"runs/run-0/report.html\">report</a>",
        "antidote run --attack badnets --defense sau", "no memory", "Copy LaTeX", "\\textbf{2.5} $\\pm$ 0.7",
        "antidote grid report x", "default-src 'none'",
      ] { #expect(html.contains(text), "\(text)") }
      #expect(!html.contains("http://") && !html.contains("https://"))
      #expect(
        markdown.contains("| badnets | 97.0 ± 0.0 | *30.5 ± 0.7* | **2.5 ± 0.7** |"), "\(markdown)")
      #expect(markdown.contains("run-8: failed: no memory"))
      // Pictures with their numbers beside them.
      #expect(files.figures.contains { $0.hasSuffix("figures/attackSuccessRate-map.csv") })
      for path in files.figures where path.hasSuffix(".svg") {
        let svg = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(XMLParser(data: svg).parse(), "\(path)")
      }
    }
  }

  /// The maps of each cell's first run, as pictures and as points.
  @Test func mapsOfSamples() throws {
    try withTemporaryFolder { folder in
      let samples = [1, 0].map { seed in
        SampleRun { run in
          (run.defense, run.seed) = ("dbd", seed)
          run.more = """
            "findings": {"maps": [{"title": "features", "x": [0.5, \(seed + 1)], "y": [1, 2], "labels": [3, 4],
              "poisoned": [false, true]}], "histograms": [], "pictures": []}
            """
        }
      }
      try write(samples + [SampleRun { $0.defense = "ft" }], in: folder)
      let files = try Report.writeGrid(
        folder: folder, runs: RunIndex(of: folder).runs(), layout: .init(), charts: [], showsMaps: true)
      let maps = files.figures.filter { $0.contains("/map-") }
      #expect(maps.count == 2)
      let rows = try String(contentsOfFile: #require(maps.last), encoding: .utf8).split(whereSeparator: \.isNewline)
      #expect(rows == ["x,y,label,poisoned", "0.5,1.0,3,0", "1.0,2.0,4,1"])
      let svg = try String(contentsOfFile: #require(maps.first), encoding: .utf8)
      #expect(svg.contains("class=\"poisoned\"") && svg.contains("<circle"))
      #expect(try String(contentsOfFile: files.page, encoding: .utf8).contains("badnets, dbd: features"))
      // Where none has any, that is said.
      try FileManager.default.removeItem(atPath: folder + "/runs/run-0")
      try FileManager.default.removeItem(atPath: folder + "/runs/run-1")
      #expect(throws: SettingsError.self) {
        try Report.writeGrid(
          folder: folder, runs: RunIndex(of: folder).runs(), layout: .init(), charts: [], showsMaps: true)
      }
    }
  }

  @Test func textFromRecordsIsEscaped() throws {
    try withTemporaryFolder { folder in
      let evil = "<img src=x onerror=alert(1)>"
      try write(
        [SampleRun { $0.more = "\"failure\": \"\(evil)\"" }, SampleRun { ($0.defense, $0.attack) = (evil, evil) }],
        in: folder)
      try SampleRun { $0.status = "failed" }.write(in: folder, "runs/\(evil)")
      let (html, markdown, _) = try report(folder)
      #expect(!html.contains("<img") && html.contains("&lt;img src=x"))
      #expect(!markdown.contains("<img"))
    }
  }

  @Test func aChartOverASetting() throws {
    try withTemporaryFolder { folder in
      let sweep = [0.01, 0.05, 0.1, 0.5].flatMap { tau in
        [0, 1].map { seed in
          SampleRun { run in
            (run.defense, run.before, run.seed, run.defenseSettings) = ("prl-at", nil, seed, "\"tau\": \(tau)")
            run.accuracy = 0.9 - tau + 0.01 * Double(seed)
          }
        }
      }
      try write(sweep, in: folder)
      let (html, _, files) = try report(
        folder, charts: [.init(x: "defense.tau", y: ["ACC", "ASR"], isLogarithmic: true)])
      #expect(html.contains("Clean accuracy by defense.tau") && html.contains("defense.tau (logarithmic)"))
      let path = try #require(files.figures.first { $0.contains("chart-1") && $0.hasSuffix(".csv") })
      let table = try CSVTable(contentsOf: path)
      #expect(table.rows.count == 4 && table.header == ["series", "defense.tau", "accuracy", "deviation"])
      let first = table.rows[0].fields
      #expect(first[1] == "0.01" && abs((Double(first[2]) ?? 0) - 0.895) < 1e-12)
      #expect(throws: (any Error).self) { try report(folder, charts: [.init(x: "defense.tua", y: ["ACC"])]) }
      // A metric that no run has leaves no hole.
      let error = #expect(throws: SettingsError.self) {
        try report(folder, charts: [.init(x: "defense.tau", y: ["ACC", "TPR"])])
      }
      #expect(
        error?.description.contains("truePositiveRate") == true && error?.description.contains("accuracy") == true)
      #expect(throws: (any Error).self) { try report(folder, charts: [.init(x: "attack.name", y: ["ACC"])]) }
    }
  }

  @Test func aChartOverEpochs() throws {
    try withTemporaryFolder { folder in
      try write([SampleRun(), SampleRun { $0.seed = 1 }], in: folder)
      for (run, shift) in [(0, 0.0), (1, 0.1)] {
        let log = MetricsLog(path: folder + "/runs/run-\(run)/metrics.jsonl")
        try log.append(MetricsEntry(stage: "train", epoch: 1, values: ["backdoorRisk": 0.9]))
        for epoch in 1...3 {
          try log.append(
            MetricsEntry(stage: "purify", epoch: epoch, values: ["backdoorRisk": 0.5 / Double(epoch) + shift]))
        }
      }
      let (html, _, files) = try report(folder, charts: [.init(x: "epoch", y: ["backdoorRisk"])])
      #expect(html.contains("badnets, sau"))
      // The undefended model is that of the same runs, and has no curves of its own.
      #expect(files.figures.count { $0.contains("chart-") && $0.hasSuffix(".csv") } == 1)
      let path = try #require(files.figures.first { $0.contains("chart-1") && $0.hasSuffix(".csv") })
      let rows = try CSVTable(contentsOf: path).rows.map(\.fields)
      // The last stage alone: three epochs, means over the two seeds.
      #expect(rows.count == 3 && rows[0][0] == "Backdoor risk" && abs((Double(rows[0][2]) ?? 0) - 0.55) < 1e-12)
    }
  }

  /// Whether values are shares is told by their names: a small loss is none.
  @Test func sharesByName() throws {
    for name in ["accuracy", "attackSuccessRate", "backdoorRisk", "poisonShareLearned", "cleanAccuracy", "flipShare"] {
      #expect(MetricName.isShare(name), "\(name)")
    }
    for name in ["trainLoss", "learningRate", "seconds", "seedLoss", "likeness"] { #expect(!MetricName.isShare(name)) }
    try withTemporaryFolder { folder in
      try write([SampleRun()], in: folder)
      let log = MetricsLog(path: folder + "/runs/run-0/metrics.jsonl")
      for epoch in 1...2 {
        try log.append(
          MetricsEntry(stage: "purify", epoch: epoch, values: ["trainLoss": 0.5 / Double(epoch), "accuracy": 0.9]))
      }
      func axis(_ names: [String]) throws -> String {
        let (_, _, files) = try report(folder, charts: [.init(x: "epoch", y: names)])
        let path = try #require(files.figures.first { $0.contains("chart-1") && $0.hasSuffix(".svg") })
        return try String(contentsOfFile: path, encoding: .utf8)
      }
      #expect(try axis(["accuracy"]).contains(/>[0-9.]+%</))
      #expect(try !axis(["trainLoss"]).contains(/>[0-9.]+%</))
      #expect(try !axis(["accuracy", "trainLoss"]).contains(/>[0-9.]+%</))
      let error = #expect(throws: SettingsError.self) { try axis(["accuracy", "acuracy"]) }
      #expect(error?.description.contains("no run has a value of acuracy") == true)
    }
  }

  @Test func whatCannotBeReported() throws {
    try withTemporaryFolder { folder in
      #expect(throws: (any Error).self) { try report(folder) }
      try SampleRun().write(in: folder, ".")
      // A run has a report of its own under that name.
      #expect(throws: (any Error).self) { try report(folder) }
      #expect(!FileManager.default.fileExists(atPath: folder + "/report.html"))
    }
  }
}
