import ArgumentParser
import Experiments
import Files
import Foundation
import Grids
import Reporting
import Support

struct RunsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "A run's scores, settings and command.",
    discussion: """
        antidote runs show runs/badnets-sau-cifar10-1a2b3c4d5e6f
        antidote runs show RUN --json    the whole record
      """)

  @Argument(help: ArgumentHelp("Run directory.", valueName: "run"))
  var folder: String
  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let record = try RunDirectory.open(folder).readRecord() else {
      throw RunStoreError.notARun(directory: folder)
    }
    if output.json { return try Output.write(try record.encoded()) }
    var text = Report.terminalTable(record)
    let leaves = RunSummary(record, folder: folder).leaves.sorted { $0.key < $1.key }
    let width = leaves.map(\.key.count).max() ?? 0
    text += "\nsettings\n"
    for (key, value) in leaves { text += Text.row(key, value.isNull ? "not set" : value.plainText, width: width) }
    if let command = record.command { text += "\ncommand\n" + Text.paragraph(command, indent: 2) }
    try Output.write(text)
  }
}

struct RunsDiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Where the settings and the results of two runs differ.",
    discussion: """
        antidote runs diff RUN RUN
        antidote runs diff RUN RUN --json
      """)

  @Argument(help: ArgumentHelp("Run directory.", valueName: "run"))
  var first: String
  @Argument(help: ArgumentHelp("Run directory.", valueName: "run"))
  var second: String
  @OptionGroup var output: OutputOptions

  func run() throws {
    let difference = RunDifference(try summary(first), try summary(second))
    try output.json ? Output.write(json: difference.json) : Output.write(difference.text)
  }

  private func summary(_ folder: String) throws -> RunSummary {
    guard let record = try RunDirectory.open(folder).readRecord() else {
      throw RunStoreError.notARun(directory: folder)
    }
    return RunSummary(record, folder: Path.withoutFinalSlash(folder))
  }
}

struct RunsRemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Remove run directories: models, records and all.",
    discussion: """
      Names what it would remove; --yes removes it. A run that a process is working on stays.

        antidote runs rm runs --where status=failed
        antidote runs rm runs/badnets-sau-cifar10-1a2b3c4d5e6f --yes
      """)

  @OptionGroup var selection: RunSelection
  @Flag(help: "Remove them; without it they are only named.")
  var yes = false

  func run() throws {
    let isRun = FileSystem.isFile(Path.join(selection.folder, RunDirectory.recordName))
    guard isRun || !selection.conditions.isEmpty else {
      throw CommandFailure(
        "\(selection.folder) is a folder of runs. Say which of them: --where status=failed, or name one run's folder.")
    }
    let runs = try selection.runs()
    var left = 0
    for run in runs {
      let path = run.folder == "." ? selection.folder : Path.join(selection.folder, run.folder)
      guard yes else {
        try Output.write("would remove \(path)\n")
        continue
      }
      do {
        try RunDirectory.remove(path)
        try Output.write("removed \(path)\n")
      } catch let error as RunStoreError {
        left += 1
        TerminalProgress.standard.message("\(error)")
      }
    }
    if runs.isEmpty { try Output.write("no such run\n") }
    if !yes, !runs.isEmpty { try Output.write("Nothing is removed yet. Give the same command with --yes.\n") }
    if left > 0 { throw ExitCode.failure }
  }
}

struct RunsTensorBoardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tensorboard",
    abstract: "Write the epochs of runs as event files for TensorBoard.",
    discussion: """
      Beside each metrics.jsonl goes an events.out.tfevents file with the same values, by stage and name. It is written \
      anew each time, so give the command again while a run goes on.

        antidote runs tensorboard runs
        tensorboard --logdir runs
      """)

  @OptionGroup var selection: RunSelection

  func run() throws {
    var count = 0
    for run in try selection.runs() where run.status != .damaged {
      let path = run.folder == "." ? selection.folder : Path.join(selection.folder, run.folder)
      if try Report.writeTensorBoard(runDirectory: path) != nil { count += 1 }
    }
    try Output.write("event files of \(formatCount(count)) run\(count == 1 ? "" : "s") written\n")
  }
}
