import ArgumentParser
import Files
import Foundation
import Grids
import Support

struct GridPlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Check a grid's file, and show its cells and the models that they share.",
    discussion: """
      Starts nothing and writes nothing. Everything that is wrong with the file is reported at once, each problem with \
      its line: unknown names and settings, values given twice, rates that a class cannot hold, defenses without the \
      images that they need.

        antidote grid plan experiments/cpu/smoke.yaml
      """)

  @Argument(help: ArgumentHelp("The grid's YAML file, or its folder.", valueName: "file|folder"))
  var grid: String
  @Flag(help: "Do not read the data sets to check rates and classes; for a machine that does not have them.")
  var withoutData = false
  @OptionGroup var output: OutputOptions

  func run() throws {
    let plan = try plan()
    if output.json { return try Output.write(json: try JSONValue(encoding: plan)) }
    var text = "\(plan.title): \(formatCount(plan.cells.count)) cells\n"
    for axis in plan.axes { text += Text.row(axis.name, axis.values.joined(separator: ", "), width: 10) }
    text += "\n"
    let names = Dictionary(plan.all.map { ($0.id, $0.folder) }) { first, _ in first }
    for cell in plan.stages { text += "\(cell.folder)  trains a model for others\n" }
    for cell in plan.cells {
      let users = plan.cells.count { $0.needs == cell.id }
      let note =
        cell.needs.flatMap { names[$0] }.map { "takes the model of \($0)" }
        ?? (users > 0 ? "trains a model for itself and \(users) other\(users == 1 ? "" : "s")" : "trains its own model")
      text += "\(cell.folder)  \(note)\n"
    }
    let trained = plan.all.count { $0.needs == nil }
    text += "\n\(formatCount(trained)) models are trained for \(formatCount(plan.cells.count)) cells.\n"
    let features = plan.cells.compactMap(\.features)
    if !features.isEmpty {
      text +=
        "Features without labels are learned \(formatCount(Set(features).count)) times for "
        + "\(formatCount(features.count)) cells.\n"
    }
    try Output.write(text)
  }

  private func plan() throws -> GridPlan {
    if FileSystem.isFolder(grid) { return try Grid(folder: grid).plan }
    let text = try FileSystem.readText(grid, limit: FormatLimits.settings.bytes)
    return try GridSpecification(text, source: grid).plan(
      checkingData: !withoutData, progress: TerminalProgress.standard)
  }
}
