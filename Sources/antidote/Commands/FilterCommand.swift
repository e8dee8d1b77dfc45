import ArgumentParser
import Experiments
import Files
import Support

struct FilterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filter",
    abstract: "Divide images into kept and rejected ones, as a table of samples says.",
    discussion: """
      The table is what antidote defend writes for a data set (--samples, or --out of a sample filter). Without options, the command only \
      counts. Files are copied by class, so that --dataset folder reads them; nothing is removed, and no folder that holds something is \
      written to.

        antidote filter samples.csv
        antidote filter samples.csv --copy-kept clean --rejected suspicious
        antidote filter samples.csv --most-suspicious 50 --rejected look-at-these --link
        antidote filter samples.csv --list kept.csv
        antidote train --dataset csv --data kept.csv --out model.safetensors
      """)

  @Argument(help: ArgumentHelp("Table of samples (CSV).", valueName: "file"))
  var table: String
  @Option(help: ArgumentHelp("Folder to copy the kept images to, by class.", valueName: "folder"))
  var copyKept: String?
  @Option(help: ArgumentHelp("Folder to copy the rejected images to, by class.", valueName: "folder"))
  var rejected: String?
  @Option(help: ArgumentHelp("Table to write with the kept samples.", valueName: "file"))
  var list: String?
  @Option(
    help: ArgumentHelp(
      "Reject so many of the most suspicious samples, in place of those that the defense rejected.", valueName: "n"))
  var mostSuspicious: Int?
  @Flag(help: "Make links to the images in place of copies.")
  var link = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let mostSuspicious, mostSuspicious < 1 { throw ValidationError("--most-suspicious is at least 1.") }
    if link, copyKept == nil, rejected == nil { throw ValidationError("--link belongs to --copy-kept and --rejected.") }
  }

  func run() throws {
    let job = FilterJob(
      table: table, rule: mostSuspicious.map { .mostSuspicious($0) } ?? .decision, kept: copyKept, rejected: rejected,
      list: list, links: link)
    let result = try job.run(progress: TerminalProgress.standard)
    if output.json { return try Output.write(json: try JSONValue(encoding: result)) }
    var text = "kept \(formatCount(result.kept)), rejected \(formatCount(result.rejected))\n"
    let width = result.classes.map(\.name.count).max() ?? 0
    for entry in result.classes where !entry.name.isEmpty {
      text += Text.row(
        entry.name, "kept \(formatCount(entry.kept)), rejected \(formatCount(entry.rejected))", width: width)
    }
    let written = [copyKept, rejected, list].compactMap { $0 }
    try Output.write(text + (written.isEmpty ? "" : "written: \(written.joined(separator: ", "))\n"))
  }
}
