import ArgumentParser

struct GridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid",
    abstract: "Grids of experiments: attacks x defenses x seeds, run on one machine or many, reported and compared.",
    discussion: """
      A grid is a YAML file with the values of each axis. Its folder holds one run directory a cell, and any number of \
      processes, on any number of machines that share the folder, work on it at once.

        antidote grid plan smoke.yaml          the cells, and which models they share
        antidote grid run smoke.yaml           all cells; the same command goes on after Ctrl-C or a power cut
        antidote grid status grids/smoke       what is done, what failed and why, time left
        antidote grid submit grids/smoke --engine slurm
        antidote grid report grids/smoke
        antidote grid compare grids/smoke experiments/papers/sau-table-2.yaml
      """,
    subcommands: [
      GridRunCommand.self, GridPlanCommand.self, GridStatusCommand.self, GridReportCommand.self,
      GridCompareCommand.self, GridSubmitCommand.self, GridCellCommand.self,
    ])
}
