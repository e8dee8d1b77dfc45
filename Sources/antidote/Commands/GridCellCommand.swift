import ArgumentParser
import Grids
import Reporting

/// What a worker starts for each cell.
struct GridCellCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cell", abstract: "Run one cell for a worker, which starts this command itself.", shouldDisplay: false)

  @Argument var folder: String
  @Argument var cell: String
  @Option var claim: Int
  @Option var token: String
  @Option var lease: Double
  @Option var threads: Int
  @Option var device: String?

  func run() throws {
    let run = try CellRun(
      folder: folder, cell: cell, claim: claim, token: token, lease: lease, threads: threads, device: device)
    // Without plotly: its copy beside each of many reports would take more room than the runs.
    try run.run { _ = try Report.write(runDirectory: $0, plotly: nil) }
  }
}
