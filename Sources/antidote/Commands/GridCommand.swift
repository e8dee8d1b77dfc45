import ArgumentParser

struct GridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid",
    abstract: "Grids of experiments: reports and comparisons.",
    discussion: """
        antidote grid report grids/smoke
        antidote grid compare grids/smoke experiments/papers/sau-table-2.yaml
      """,
    subcommands: [GridReportCommand.self, GridCompareCommand.self])
}
