import Files
import ArgumentParser
import Experiments
import Grids
import Reporting
import Support

/// What `antidote run` and `antidote demo` take, and what they do.
struct RunOptions: ParsableArguments {
  @OptionGroup var experiment: ExperimentOptions
  @Option(help: ArgumentHelp("Run directory; by default runs/<attack>-<defense>-<data set>-<id>.", valueName: "folder"))
  var out: String?
  @Flag(help: "Print the finished record as JSON on standard output.")
  var json = false

  /// Runs the experiment and prints how it went.
  /// - Parameter base: settings under those of the user.
  func run(over base: JSONValue = [:]) throws {
    if let seeds = experiment.settings.seed?.numbers, seeds.count > 1 { return try runGrid(over: base, seeds: seeds) }
    let progress = TerminalProgress.standard
    let runner = try ExperimentRunner(
      try experiment.configuration(over: base), folder: out, progress: progress, command: Shell.commandLine)
    progress.message("run directory: \(runner.directory.path)")
    let record = try runner.run()
    let report = try Report.write(runDirectory: runner.directory.path, plotly: Plotly.path)
    if json { return try Output.write(try Report.json(record)) }
    try Output.write("\(Report.terminalTable(record))report: \(report)\n")
  }

  /// The smallest grid: one experiment with several seeds.
  private func runGrid(over base: JSONValue, seeds: [Int]) throws {
    if json { throw CommandFailure("--json prints one record; leave it out with several seeds.") }
    var single = self
    single.experiment.settings.seed = nil
    let tree = try single.experiment.tree(over: base)
    let configuration = try single.experiment.settings.configuration(tree)
    let title = try configuration.runFolderName()
    let file: JSONValue = ["name": .string(title), "base": tree, "seeds": .array(seeds.map { .int($0) })]
    let grid = try Grid.make(
      file.prettyJSON + "\n", source: "--seed", in: out ?? Path.join("grids", title),
      progress: TerminalProgress.standard)
    try GridWorkingOptions.parse([]).work(on: grid)
  }
}
