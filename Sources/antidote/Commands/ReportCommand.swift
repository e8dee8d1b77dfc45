import ArgumentParser
import Experiments
import Reporting

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write the report of a run directory again.",
    discussion: """
      Reads record.json, metrics.jsonl and the sample images alone, so it works on a run from elsewhere and on one that is still going on.

        antidote report runs/badnets-sau-cifar10-1a2b3c4d5e6f
      """)

  @Argument(help: ArgumentHelp("Run directory.", valueName: "run"))
  var folder: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    let path = try Report.write(runDirectory: folder, plotly: Plotly.path)
    if output.json, let record = try RunDirectory.open(folder).readRecord() {
      return try Output.write(try Report.json(record))
    }
    if let record = try RunDirectory.open(folder).readRecord() { try Output.write(Report.terminalTable(record)) }
    try Output.write("report: \(path)\n")
  }
}
