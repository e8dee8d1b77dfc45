import ArgumentParser
import Experiments
import Files
import Grids
import Support

struct GridCompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Two grids, or a grid and a paper's table, cell by cell.",
    discussion: """
      Each side is a grid or a folder of runs; the second may also be a table of published numbers, YAML or CSV. Differences beyond \
      twice the standard error over seeds are marked, and the order of the defenses is compared by ranks.

        antidote grid compare grids/today grids/yesterday
        antidote grid compare grids/post-training experiments/papers/sau-table-2.yaml --metrics ACC,ASR
        antidote grid compare A B --markdown
      """)

  @Argument(help: ArgumentHelp("A grid or a folder of runs.", valueName: "folder"))
  var first: String
  @Argument(help: ArgumentHelp("Another one, or a file with published numbers.", valueName: "folder or file"))
  var second: String
  @Option(
    name: .customLong("where"),
    help: ArgumentHelp("Only runs with this, such as attack.rate=0.1; may be repeated.", valueName: "condition"))
  var conditions: [String] = []
  @Option(help: ArgumentHelp("Only these metrics.", valueName: "names"))
  var metrics: String?
  @Flag(help: "Print Markdown.")
  var markdown = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if markdown, output.json { throw ValidationError("Give --json or --markdown, not both.") }
  }

  func run() throws {
    let metrics = try metrics.map { try ResultMetric.list($0) }
    let grid = try grid(first, metrics)
    let comparison =
      FileSystem.isFile(second)
      ? GridComparison(grid, named: first, try PublishedResults(contentsOf: second), metrics: metrics)
      : GridComparison(grid, named: first, try self.grid(second, metrics), named: second, metrics: metrics)
    guard !comparison.items.isEmpty else {
      throw CommandFailure(
        "\(first) and \(second) have no cell in common: no attack and defense with the same metric stands in both.")
    }
    if output.json { return try Output.write(json: comparison.json) }
    try Output.write(markdown ? comparison.markdown : comparison.text)
  }

  private func grid(_ folder: String, _ metrics: [ResultMetric]?) throws -> ResultGrid {
    let query = RunQuery(conditions: try conditions.map { try RunCondition($0) })
    return try ResultGrid(
      try query.select(from: RunIndex(of: folder).runs()), layout: ResultGrid.Layout(metrics: metrics))
  }
}
