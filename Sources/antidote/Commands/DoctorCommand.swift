import ArgumentParser
import Experiments
import Files
import Foundation
import Grids
import Support

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "What this machine offers, and what to do about what is missing.",
    discussion: """
      Exit code 0 means that antidote can run here.

        antidote doctor
        antidote doctor --data path/to/data   is there a data set?
      """)

  @Option(help: ArgumentHelp("A folder that should hold a data set.", valueName: "folder"))
  var data: String?
  @OptionGroup var output: OutputOptions

  func run() throws {
    var diagnosis = Diagnosis(data: data, plotly: Plotly.path)
    diagnosis.add("sqlite", "\(RunIndex.libraryVersion), for the index of runs")
    if output.json {
      try Output.write(json: try JSONValue(encoding: diagnosis))
    } else {
      let width = diagnosis.findings.map(\.name.count).max() ?? 0
      let indent = width + 4
      for finding in diagnosis.findings {
        let mark = finding.verdict == .good ? " " : finding.verdict == .note ? "-" : "!"
        let name = finding.name.padding(toLength: width, withPad: " ", startingAt: 0)
        try Output.write("\(mark) \(name)  " + Text.wrapped(finding.value, indent: indent) + "\n")
        if let advice = finding.advice { try Output.write(Text.paragraph(advice, indent: indent)) }
      }
      try Output.write(
        diagnosis.canRun ? "antidote can run here.\n" : "Something is missing: see the lines marked with \"!\".\n")
    }
    if !diagnosis.canRun { throw ExitCode.failure }
  }
}
