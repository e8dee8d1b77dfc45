import Experiments
import Files
import Foundation
import Support

/// One cell in a process of its own, which a worker started.
public struct CellRun {
  private let grid: Grid
  private let cell: GridCell
  private let claim: HeldClaim
  private let threads: Int
  private let device: String?

  /// - Parameters:
  ///   - number, token, lease: of the claim that the worker holds for this process.
  ///   - threads: where the grid has not decided yet.
  ///   - device: in place of what the settings say; nil: as they say.
  ///
  /// Ends the process where the plan has the cell no more: another one gave the grid another file meanwhile.
  /// - Throws: `GridError`, `FileError`.
  public init(
    folder: String, cell id: String, claim number: Int, token: String, lease: Double, threads: Int, device: String?
  ) throws {
    grid = try Grid(folder: folder)
    guard let cell = grid.plan.all.first(where: { $0.id == id }) else {
      StandardStreams.writeError("\(GridError.unknownCell(id, folder: folder))\n")
      exit(CellExit.gone)
    }
    self.cell = cell
    self.threads = threads
    self.device = device
    claim = HeldClaim(id: id, number: number, token: token, lease: lease, folder: ClaimFolder(grid: grid.folder))
  }

  /// Runs the cell to its end, and keeps the claim meanwhile. Progress goes as plain lines to standard output, which the
  /// worker reads, and to standard error, which is the cell's log.
  /// - Parameter finish: what is left to do with the directory of the finished run.
  /// - Throws: what a run throws.
  public func run(finish: (_ runDirectory: String) throws -> Void) throws {
    guard try claim.isHeld() else { exit(CellExit.lost) }
    let keeper = ClaimKeeper(claim)
    keeper.start(lifeline: STDIN_FILENO)
    defer { keeper.stop() }
    let progress = SharedProgress([
      TerminalProgress(plainInterval: 30),
      TerminalProgress(plainInterval: 0.5) { try? StandardStreams.writeOutput($0.utf8) },
    ])
    var cell = cell
    if let device { cell.settings["device"] = .string(device) }
    let configuration = try ExperimentConfiguration(cell.settings)
    let compute = try GridCompute.settled(in: grid.folder, configuration, threads: threads)
    do {
      let runner = try ExperimentRunner(
        configuration, folder: grid.runPath(cell), progress: progress, command: try cell.command(compute),
        compute: compute,
        claims: FeatureClaims(grid: grid.folder, lease: claim.lease, lifeline: STDIN_FILENO))
      _ = try runner.run()
    } catch RunStoreError.locked(let directory, let process) {
      progress.message("\(RunStoreError.locked(directory: directory, process: process))")
      exit(CellExit.busy)
    }
    try finish(grid.runPath(cell))
  }
}

extension GridCell {
  /// The command that repeats the run by itself.
  func command(_ compute: ComputePlan.Earlier) throws -> String {
    var settings = settings
    if settings["threads"] == nil { settings["threads"] = .int(compute.threads) }
    let assignments = Self.assignments(settings, path: "").map { "--set \(ShellWord.quoted($0))" }
    return (["antidote run"] + assignments).joined(separator: " ")
  }

  private static func assignments(_ tree: JSONValue, path: String) -> [String] {
    if case .object(let members) = tree, !members.isEmpty {
      return members.sorted { $0.key < $1.key }.flatMap { assignments($1, path: path.isEmpty ? $0 : "\(path).\($0)") }
    }
    return ["\(path)=\(tree.stringValue.flatMap(plain) ?? tree.compactJSON)"]
  }

  /// Text that an assignment reads as the same text without quotes.
  private static func plain(_ text: String) -> String? {
    (try? SettingsTree.parseAssignment("a=\(text)").value) == .string(text) ? text : nil
  }
}
