import ArgumentParser
import Experiments
import Files
import Foundation
import Grids
import Support

struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "Find, show, compare and remove runs.",
    discussion: """
      All of these read the records of the run directories in a folder, by default runs. An index beside them, \
      \(RunIndex.fileName), makes that quick; it is brought up to date each time and may be removed at any time.

        antidote runs list
        antidote runs list --where defense.name=sau --where attack.rate=0.1 --sort=-accuracy
        antidote runs show runs/badnets-sau-cifar10-1a2b3c4d5e6f
        antidote runs diff RUN RUN
        antidote runs rm runs --where status=failed
        antidote runs tensorboard runs
      """,
    subcommands: [
      RunsListCommand.self, RunsShowCommand.self, RunsDiffCommand.self, RunsRemoveCommand.self,
      RunsTensorBoardCommand.self,
    ])
}

/// Which runs of a folder.
struct RunSelection: ParsableArguments {
  @Argument(help: ArgumentHelp("A folder of runs, or a grid.", valueName: "folder"))
  var folder = "runs"
  @Option(
    name: .customLong("where"),
    help: ArgumentHelp(
      "Only runs with this: a setting, a metric, or one of \(RunQuery.fields.joined(separator: ", ")), such as "
        + "attack.rate=0.1, defense.name=sau,ft or accuracy>0.9; may be repeated.", valueName: "condition"))
  var conditions: [String] = []

  func query(order: String? = nil) throws -> RunQuery {
    RunQuery(conditions: try conditions.map { try RunCondition($0) }, order: order)
  }

  func runs(order: String? = nil, rebuild: Bool = false) throws -> [RunSummary] {
    try query(order: order).select(from: RunIndex(of: folder, rebuild: rebuild).runs())
  }
}

struct RunsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "The runs of a folder, one a line.",
    discussion: """
        antidote runs list
        antidote runs list runs --where attack.rate=0.1 --where defense.name=sau
        antidote runs list --sort=-accuracy --columns folder,seed,recipe.epochs,accuracy,ASR
        antidote runs list --csv --columns folder,attack.name,defense.name,ACC,ASR,DER
      """)

  @OptionGroup var selection: RunSelection
  @Option(help: ArgumentHelp("Order: a column's name; with --sort=-name the largest come first.", valueName: "name"))
  var sort: String?
  @Option(
    help: ArgumentHelp(
      "Columns: settings, metrics (\(ResultMetric.usual.map(\.abbreviation).joined(separator: ", ")), ...) and "
        + "\(RunQuery.fields.joined(separator: ", ")).", valueName: "names"))
  var columns: String?
  @Option(help: ArgumentHelp("At most so many.", valueName: "n"))
  var limit: Int?
  @OptionGroup var output: TableOptions
  @Flag(help: "Read all records again, changed or not.")
  var rebuild = false

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit is at least 0.") }
  }

  func run() throws {
    let (shown, count) = try selected()
    if output.json { return try Output.write(json: .array(shown.map(\.json))) }
    let table = try RunTable(shown, columns: columns.map { $0.split(separator: ",").map(String.init) })
    if output.csv { return try Output.write(table.csv) }
    try Output.write(table.text)
    let more = count > shown.count ? " of \(formatCount(count))" : ""
    let damaged = shown.filter { $0.status == .damaged }
    try Output.write("\(formatCount(shown.count))\(more) run\(shown.count == 1 && more.isEmpty ? "" : "s")\n")
    for run in damaged.prefix(5) { try Output.write("! \(run.failure ?? run.folder)\n") }
  }

  /// The runs to show, and how many there would be without the limit.
  private func selected() throws -> (shown: [RunSummary], count: Int) {
    if let limit, sort == nil, selection.conditions.isEmpty {
      let index = try RunIndex(of: selection.folder, rebuild: rebuild)
      return (try index.runs(first: limit), try index.count())
    }
    let runs = try selection.runs(order: sort, rebuild: rebuild)
    return (limit.map { Array(runs.prefix($0)) } ?? runs, runs.count)
  }
}
