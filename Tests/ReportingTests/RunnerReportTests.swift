import Experiments
import Files
import Foundation
import Reporting
import Support
import TestFiles
import Testing

/// A report of what the runner writes, not of a record made by hand.
@Suite struct RunnerReportTests {
  @Test func reportOfARun() throws {
    let folder = try TemporaryFolder()
    let run = folder.path("run")
    let configuration = try ExperimentConfiguration([
      "precision": "float32", "dataset": ["train": 64, "test": 32, "size": 28], "model": ["name": "cnn", "width": 4],
      "recipe": ["epochs": 1, "batch": 32], "defense": ["epochs": 1, "batch": 10, "steps": 1], "clean": ["count": 10],
      "evaluation": ["riskSamples": 8, "samples": 2],
    ])
    let record = try ExperimentRunner(configuration, folder: run, progress: SilentProgress()).run()
    let html = try String(contentsOfFile: Report.write(runDirectory: run), encoding: .utf8)
    #expect(html.contains(record.id) && html.contains("badnets") && html.contains("data:image/png;base64,"))
    #expect(Report.terminalTable(record).contains(formatPercent(record.before?.accuracy ?? .nan)))
    #expect(Report.markdownTable([record]).contains("badnets"))
  }
}
