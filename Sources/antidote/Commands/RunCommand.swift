import ArgumentParser
import Experiments
import Files
import Foundation
import Reporting
import Support

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Poison, train, measure, purify, measure again, and write a report.",
    discussion: """
      The run directory holds record.json, metrics.jsonl, the models and report.html. Ctrl-C leaves a run that the same command goes on \
      with, to the same result.

        antidote run --dataset cifar10 --data path/to/data --width 16 \\
          --epochs 12 --attack badnets --defense sau --set defense.epochs=20
        antidote run --config experiment.yaml --set attack.rate=0.05
        antidote run --attack none --defense none       a clean model, measured
        antidote list                                   every name and setting
      """)

  @OptionGroup var experiment: ExperimentOptions
  @Option(help: ArgumentHelp("Run directory; by default runs/<attack>-<defense>-<data set>-<id>.", valueName: "folder"))
  var out: String?
  @Flag(help: "Print the finished record as JSON on standard output.")
  var json = false

  func run() throws {
    try ExperimentSession(configuration: try experiment.configuration(), out: out, json: json).run()
  }
}

/// Runs an experiment and tells how it went.
struct ExperimentSession {
  let configuration: ExperimentConfiguration
  let out: String?
  let json: Bool

  func run() throws {
    let progress = TerminalProgress.standard
    let runner = try ExperimentRunner(configuration, folder: out, progress: progress, command: Shell.commandLine)
    progress.message("run directory: \(runner.directory.path)")
    let record = try runner.run()
    let report = try Report.write(runDirectory: runner.directory.path, plotly: Plotly.path)
    if json {
      return try Output.write(try record.encoded())
    }
    try Output.write("\(Report.terminalTable(record))report: \(report)\n")
  }
}

/// plotly.js from its pip package, if the set-up found one.
enum Plotly {
  static var path: String? {
    let named = ProcessInfo.processInfo.environment["ANTIDOTE_PLOTLY"] ?? ""
    return FileSystem.exists(named) ? named : nil
  }
}
