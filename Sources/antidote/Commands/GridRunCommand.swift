import ArgumentParser
import Experiments
import Files
import Foundation
import Grids
import Support
import Torch

struct GridRunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the cells of a grid, each in a process of its own.",
    discussion: """
      Takes the grid's file, or the folder of a grid that was begun. Cells that are finished are left alone, so the same \
      command goes on after Ctrl-C, a killed process or a power cut, and a file with one seed more adds what is missing. \
      A cell that fails costs that cell: its reason is in `antidote grid status`, and --retry-failed tries it again.

      More processes, here or on other machines that see the same folder, may be started at any time with the same \
      command: each cell is done once.

        antidote grid run experiments/cpu/smoke.yaml
        antidote grid run grids/smoke --jobs 2 --retry-failed
        antidote grid run grids/smoke --shard 1/4
      """)

  @Argument(help: ArgumentHelp("The grid's YAML file, or its folder.", valueName: "file|folder"))
  var grid: String
  @OptionGroup var making: GridMakingOptions
  @OptionGroup var working: GridWorkingOptions

  func run() throws {
    if let device = working.device { _ = try Device(named: device) }  // Before there is a folder.
    let grid = try making.grid(grid)
    try working.work(on: grid)
  }
}

/// How a grid's file becomes its folder.
struct GridMakingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The grid's folder; by default grids/<name of the file>.", valueName: "folder"))
  var out: String?
  @Flag(help: "Do not read the data sets to check rates and classes; for a machine that does not have them.")
  var withoutData = false

  func grid(_ path: String) throws -> Grid {
    if FileSystem.isFolder(path), let out {
      throw CommandFailure("\(path) is a grid's folder already; --out \(out) goes with a file.")
    }
    return try Self.grid(path, in: out, checkingData: !withoutData)
  }

  /// The grid of a folder that has one, or of a file.
  /// - Parameter folder: the grid's folder, for a file; nil is the usual one.
  static func grid(_ path: String, in folder: String? = nil, checkingData: Bool) throws -> Grid {
    if FileSystem.isFolder(path) { return try Grid(folder: path) }
    return try Grid.make(from: path, in: folder, checkingData: checkingData, progress: TerminalProgress.standard)
  }
}

/// How cells are run.
struct GridWorkingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Cells side by side; by default one a GPU, or as many as there are free CPU cores for their threads.",
      valueName: "n"))
  var jobs: Int?
  @Option(
    help: ArgumentHelp(
      "CPU threads of each cell, when the grid is begun: 1 by default, which does most cells an hour. Other threads give "
        + "other bits, so a grid keeps the number that it began with.", valueName: "n"))
  var threads: Int?
  @Option(
    help: ArgumentHelp(
      "Where the cells compute: auto, cpu, cuda, ...; in place of what the grid's file says. A device is not part of a "
        + "cell's id, but of its bits: cells take over models from the same device alone.", valueName: "name"))
  var device: String?
  @Flag(help: "Try cells again, once, that failed before.")
  var retryFailed = false
  @Option(help: ArgumentHelp("One of n equal parts of the grid, such as 1/4.", valueName: "i/n"))
  var shard: String?
  @Option(
    help: ArgumentHelp(
      "Only this cell, by its id, and the one that trains its model; may be repeated.", valueName: "id"))
  var cell: [String] = []
  @Option(
    help: ArgumentHelp(
      "Seconds without a sign of life after which workers on other machines take over a cell.", valueName: "seconds"))
  var lease: Double = 120

  func validate() throws {
    if let jobs, jobs < 1 { throw ValidationError("--jobs takes a number from 1.") }
    if let threads, !ThreadChoice.range.contains(threads) { throw ValidationError("--threads takes a number from 1.") }
    if let shard, GridPart(shard: shard) == nil {
      throw ValidationError("--shard \(shard): give a part and their number, such as 1/4 to 4/4.")
    }
    if shard != nil, !cell.isEmpty { throw ValidationError("give either --shard or --cell.") }
    if !(lease >= 2 && lease <= 86_400) { throw ValidationError("--lease takes 2 to 86400 seconds.") }
  }

  func work(on grid: Grid) throws {
    let device = device ?? grid.plan.all.first?.settings["device"]?.stringValue
    var options = WorkerOptions(jobs: try jobs ?? Self.jobs(threads: grid.threads(asked: threads), device: device))
    options.threads = self.threads
    options.device = self.device
    options.retriesFailed = retryFailed
    options.lease = lease
    if let shard, let part = GridPart(shard: shard) { options.part = part }
    if !cell.isEmpty { options.part = .cells(cell) }
    StandardStreams.writeError(
      "grid \(escapedLines(grid.plan.title)): \(formatCount(grid.plan.cells.count)) cells in \(grid.folder), "
        + "\(options.jobs) side by side\n")
    let summary = try GridWorker(grid, options, program: try Self.program()).run()
    try Output.write("\(summary.finished) of \(summary.cells) cells finished in \(grid.folder)\n")
    if summary.failed > 0 {
      throw CommandFailure(
        "\(summary.failed) of \(summary.cells) cells failed. antidote grid status \(ShellWord.quoted(grid.folder)) says "
          + "why; --retry-failed tries them again.")
    }
    if summary.finished == summary.cells {
      try Output.write("\nNext: antidote grid report \(ShellWord.quoted(grid.folder))\n")
    }
  }

  /// Processes side by side: one a GPU, or as many as the free cores have room for.
  static func jobs(threads: Int, device: String?) -> Int {
    GPUs.visible.isEmpty || device == "cpu"
      ? max(1, CPUAvailability.measured().threads / threads) : GPUs.visible.count
  }

  /// The path of this executable.
  static func program() throws -> String {
    if let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") { return path }
    guard let path = Bundle.main.executablePath else {
      throw CommandFailure("the path of this program is not known.")
    }
    return path
  }
}
