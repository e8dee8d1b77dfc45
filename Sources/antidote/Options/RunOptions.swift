import Files
import ArgumentParser
import Experiments
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
    let progress = TerminalProgress.standard
    let runner = try ExperimentRunner(
      try experiment.configuration(over: base), folder: out, progress: progress, command: Shell.commandLine)
    progress.message("run directory: \(runner.directory.path)")
    let record = try runner.run()
    let report = try Report.write(runDirectory: runner.directory.path, plotly: Plotly.path)
    if json { return try Output.write(try record.encoded()) }
    try Output.write("\(Report.terminalTable(record))report: \(report)\n")
  }
}
