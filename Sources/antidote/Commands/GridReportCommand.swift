import ArgumentParser
import Experiments
import Files
import Grids
import Reporting
import Support

struct GridReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Tables and charts of a grid, or of any folder of runs.",
    discussion: """
      Writes report.html and report.md into the folder, and its charts with their numbers into figures. The runs of one cell differ in the \
      seed alone; which other settings make rows, columns and tables of their own is found out from the records.

        antidote grid report grids/post-training
        antidote grid report runs --where dataset.name=cifar10 --metrics ACC,ASR,DER
        antidote grid report GRID --rows attack.rate --columns defense.name,defense.epochs
        antidote grid report GRID --x defense.adversary.tau --y ACC,P-ACC --log
        antidote grid report GRID --x epoch --y backdoorRisk,sharedAdversarialRisk,adversarialRisk
      """)

  @OptionGroup var selection: RunSelection
  @Option(help: ArgumentHelp("Settings that make a row, by default the attack.", valueName: "settings"))
  var rows: String?
  @Option(help: ArgumentHelp("Settings that make a column, by default the defense.", valueName: "settings"))
  var columns: String?
  @Option(
    help: ArgumentHelp(
      "Metrics, by default what was measured of \(ResultMetric.usual.map(\.abbreviation).joined(separator: ", ")).",
      valueName: "names"))
  var metrics: String?
  @Option(
    help: ArgumentHelp(
      "A chart over this numeric setting, or over \"\(GridChartRequest.epoch)\"; --y says of what.",
      valueName: "setting"))
  var x: String?
  @Option(help: ArgumentHelp("Metrics of the chart; over epochs, names of metrics.jsonl.", valueName: "names"))
  var y: String?
  @Option(help: ArgumentHelp("Settings that make a line of the chart each.", valueName: "settings"))
  var lines: String?
  @Flag(name: .customLong("log"), help: "A logarithmic horizontal axis.")
  var isLogarithmic = false
  @Flag(help: "Draw the maps of training samples (t-SNE) that runs have, of each cell's first run.")
  var maps = false
  @Flag(help: "Print the tables in Markdown, and write nothing.")
  var markdown = false

  func validate() throws {
    if (x == nil) != (y == nil) { throw ValidationError("--x and --y go together: --x attack.rate --y ASR.") }
    if markdown, x != nil || maps {
      throw ValidationError("--markdown prints tables alone: leave out --x, --y and --maps.")
    }
    if x == nil, lines != nil || isLogarithmic {
      throw ValidationError("--lines and --log are for a chart: give --x and --y.")
    }
  }

  func run() throws {
    func list(_ text: String?) -> [String]? { text.map { $0.split(separator: ",").map(String.init) } }
    let layout = ResultGrid.Layout(
      rows: list(rows), columns: list(columns), metrics: try metrics.map { try ResultMetric.list($0) })
    let runs = try GridRuns.all(in: selection.folder)
    let selected = try selection.query().select(from: runs)
    if markdown {
      return try Output.write(
        Report.gridMarkdown(ResultGrid(selected, layout: layout), title: Path.name(selection.folder)))
    }
    let charts = x.map { x in
      [GridChartRequest(x: x, y: list(y) ?? [], lines: list(lines), isLogarithmic: isLogarithmic)]
    }
    let files = try Report.writeGrid(
      folder: selection.folder, runs: selected, layout: layout, charts: charts ?? [], showsMaps: maps,
      command: Shell.commandLine)
    try Output.write("report: \(files.page)\ntables: \(files.markdown)\n")
    if !files.figures.isEmpty { try Output.write("figures: \(Path.parent(files.figures[0]))\n") }
  }
}
