public import Experiments
import Files
import Foundation

/// Reports about runs: a page to show to somebody, and tables for terminals and documents.
///
/// All of them read what a run stored and nothing else: `record.json`, `metrics.jsonl` and the sample images.
public enum Report {
  /// Writes `report.html` into a run's directory.
  ///
  /// The page needs no network and no other file: images and curves are inside. With Plotly at hand its minified script
  /// is copied beside the page as `plotly.min.js`, and the curves become interactive; without it they are static
  /// drawings and the page says so.
  ///
  /// - Parameters:
  ///   - runDirectory: The folder of a run. The run may still be going on.
  ///   - plotly: The path of `plotly.min.js`, which the Python package `plotly` has in its `package_data` folder.
  /// - Returns: The path of the page.
  /// - Throws: `RunStoreError`: the folder holds no run, its record or metrics are damaged, or the page cannot be
  ///   written.
  @discardableResult
  public static func write(runDirectory: String, plotly: String? = nil) throws -> String {
    let directory = try RunDirectory.open(runDirectory)
    guard let record = try directory.readRecord() else { throw RunStoreError.notARun(directory: runDirectory) }
    let metrics = try directory.metrics.read()
    let library = try PlotlyLibrary.install(from: plotly, into: directory)
    let page = try ReportPage(record: record, metrics: metrics, directory: runDirectory, plotly: library)
    try AtomicFile.write(try ReportTemplate.render(page), to: directory.reportPath, followingLink: false)
    return directory.reportPath
  }

  /// Runs as a Markdown table, one row each, in the given order.
  public static func markdownTable(_ records: [RunRecord]) -> String { MarkdownTable.text(records) }

  /// A run's record as JSON, with what may be said about it under `outcome`: `tone` (good, warning, bad, neutral), `word`
  /// and `sentence`.
  /// - Throws: An `EncodingError`; none is expected.
  public static func json(_ record: RunRecord) throws -> String {
    let verdict = Verdict(record)
    var tree = try JSONValue(encoding: record)
    tree["outcome"] = [
      "tone": .string(verdict.tone.rawValue), "word": .string(verdict.word), "sentence": .string(verdict.sentence),
    ]
    return tree.prettyJSON + "\n"
  }

  /// A run's scores, verdict and flags as plain text for a terminal.
  public static func terminalTable(_ record: RunRecord) -> String { TerminalTable.text(record) }
}
