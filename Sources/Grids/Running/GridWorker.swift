import Experiments
import Files
import Foundation
import Support

/// Runs the cells of a grid, each in a process of its own, some side by side. Any number of workers may work on one
/// folder at once, on one or several machines that share it.
public final class GridWorker {
  private let grid: Grid
  private let options: WorkerOptions
  private let board: CellBoard
  private let display: GridDisplay
  private let program: String
  private let threads: Int
  private var running: [RunningCell] = []
  /// Cells that another process kept busy, and when to look at them again.
  private var later: [String: ContinuousClock.Instant] = [:]
  private var taken = 0
  /// Cells that are in the grid's file no more.
  private var gone: Set<String> = []
  /// When to look at the folder again: looking costs a network file system a request or two a cell.
  private var nextLook = ContinuousClock.now

  /// A cell that this worker runs.
  private struct RunningCell {
    let cell: GridCell
    let claim: HeldClaim
    let process: ChildProcess
    let start: ContinuousClock.Instant
    let device: Int
  }

  /// What the worker's part came to.
  public struct Summary: Sendable, Hashable {
    public var cells = 0
    public var finished = 0
    /// Cells that failed, and those whose model did.
    public var failed = 0
    /// Cells that this worker ran to their end.
    public var own = 0
  }

  /// - Parameters:
  ///   - grid: a folder with a plan.
  ///   - program: the path of the antidote executable, which runs a cell.
  /// - Throws: `GridError` for an unknown cell and other threads than the grid was begun with; `FileError`.
  public init(_ grid: Grid, _ options: WorkerOptions, program: String) throws {
    self.grid = grid
    self.options = options
    self.program = program
    threads = try grid.threads(asked: options.threads)
    for folder in [Grid.runsName, Grid.cellsName, Grid.claimsName] {
      try FileSystem.createFolder(Path.join(grid.folder, folder))
      FileSystem.removeLeftovers(in: Path.join(grid.folder, folder))
    }
    let members = try options.part.members(of: grid.plan, folder: grid.folder)
    // Models first: others wait for them.
    let needed = grid.plan.trainers
    let ordered = members.filter { needed.contains($0.id) } + members.filter { !needed.contains($0.id) }
    board = try CellBoard(grid, ordered, retriesFailed: options.retriesFailed)
    display = GridDisplay()
  }

  /// Works until no cell of the part is left that anybody could run; waits for cells that others work on.
  /// - Returns: how all cells of the part ended.
  /// - Throws: `Interrupted` after Ctrl-C, when its cells have stopped, each where it goes on later; `FileError`.
  public func run() throws -> Summary {
    defer { display.stop() }
    do {
      while try step() {}
    } catch {
      try stopAll(signal: (error as? Interrupted)?.signal ?? SIGTERM)
      throw error
    }
    return try summary()
  }

  /// - Returns: false when there is nothing left to do.
  private func step() throws -> Bool {
    try Interruption.check()
    try collect()
    if running.count < options.jobs, nextLook <= .now {
      if try startCells() { return false }
      nextLook = .now + .seconds(options.interval * Double.random(in: 0.5...1))
    }
    try show()
    wait()
    return true
  }

  // MARK: Starting

  /// Starts cells while there is room.
  /// - Returns: whether nothing runs here and nothing is left.
  private func startCells() throws -> Bool {
    var isOver = running.isEmpty
    for cell in board.cells where !gone.contains(cell.id) {
      guard running.count < options.jobs else { return false }
      guard !running.contains(where: { $0.cell.id == cell.id }), try !board.isOver(cell) else { continue }
      isOver = false
      if let time = later[cell.id], time > .now { continue }
      guard try board.isReady(cell), let claim = try board.take(cell, lease: options.lease) else { continue }
      do {
        try start(cell, claim)
      } catch {
        try? claim.release()
        throw error
      }
      isOver = false
    }
    return isOver
  }

  private func start(_ cell: GridCell, _ claim: HeldClaim) throws {
    let used = Set(running.map(\.device))
    let device = (0..<options.jobs).first { !used.contains($0) } ?? 0
    var environment = ["OMP_NUM_THREADS": String(threads)]
    if let visible = visibleDevice(device, of: cell) { environment["CUDA_VISIBLE_DEVICES"] = visible }
    let process = try ChildProcess(
      program,
      [
        "grid", "cell", grid.folder, cell.id, "--claim", String(claim.number), "--token", claim.token, "--lease",
        String(claim.lease), "--threads", String(threads),
      ] + (options.device.map { ["--device", $0] } ?? []), log: grid.logPath(cell), environment: environment)
    running.append(RunningCell(cell: cell, claim: claim, process: process, start: .now, device: device))
    display.message("\(grid.plan.name(of: cell)): started")
  }

  /// The GPU of a slot, where there are several and the cell names none.
  private func visibleDevice(_ slot: Int, of cell: GridCell) -> String? {
    let device = options.device ?? cell.settings["device"]?.stringValue ?? "auto"
    let devices = GPUs.visible
    guard devices.count > 1, ["auto", "cuda"].contains(device) else { return nil }
    return devices[slot % devices.count]
  }

  // MARK: Ending

  /// Looks which processes have ended.
  private func collect() throws {
    for index in running.indices.reversed() {
      guard let ending = running[index].process.poll() else { continue }
      let cell = running.remove(at: index)
      try note(cell, ending)
      try cell.claim.release()
      nextLook = .now
    }
  }

  /// Writes down how a cell's process ended; nothing, where that says nothing about the cell.
  private func note(_ ended: RunningCell, _ ending: ChildProcess.Ending) throws {
    let seconds = (ContinuousClock.now - ended.start) / .seconds(1)
    let name = grid.plan.name(of: ended.cell)
    switch ending {
    case .exited(0):
      taken += 1
      try FileSystem.remove(CellFailure.path(in: grid.folder, id: ended.cell.id))
      display.message("\(name): finished in \(formatDuration(seconds))")
    case .exited(CellExit.busy), .exited(CellExit.lost), .exited(128 + SIGINT), .exited(128 + SIGTERM),
      .exited(128 + SIGHUP):
      later[ended.cell.id] = .now + .seconds(5)
      display.message("\(name): stopped; goes on later")
    case .exited(CellExit.gone):
      gone.insert(ended.cell.id)
      display.message("\(name): is in the grid no more")
    case .exited(let code): try fail(ended, seconds, reason(of: ended, otherwise: "it ended with exit code \(code)"))
    case .killed:
      try fail(
        ended, seconds,
        "its process crashed: \(ending.words)\(lastWords(of: ended.cell).map { "; it said: \($0)" } ?? "")")
    }
  }

  private func fail(_ ended: RunningCell, _ seconds: Double, _ reason: String) throws {
    let before = try CellFailure.read(in: grid.folder, id: ended.cell.id)?.failures ?? 0
    try CellFailure(
      id: ended.cell.id, reason: reason, failures: before + 1, seconds: seconds, date: Date(),
      worker: ProcessIdentity.current.description
    ).write(in: grid.folder)
    display.message("\(grid.plan.name(of: ended.cell)): failed after \(formatDuration(seconds)): \(reason)")
  }

  /// What the record says, else the end of the log.
  private func reason(of ended: RunningCell, otherwise: String) -> String {
    let record = try? RunDirectory.open(grid.runPath(ended.cell)).readRecord()
    if let record, record.id == ended.cell.id, record.status == .failed, let failure = record.failure { return failure }
    return lastWords(of: ended.cell) ?? otherwise
  }

  private func lastWords(of cell: GridCell) -> String? { ChildProcess.lastWords(log: grid.logPath(cell)) }

  /// Stops all cells and waits for them; each stops within a batch.
  private func stopAll(signal: Int32) throws {
    for cell in running { cell.process.send(signal) }
    while !running.isEmpty {
      for index in running.indices.reversed() where running[index].process.poll() != nil {
        try? running.remove(at: index).claim.release()
      }
      if !running.isEmpty { usleep(20_000) }
    }
  }

  // MARK: Waiting

  private func wait() {
    usleep(UInt32(min(0.1, options.interval) * 1e6))
  }

  private func show() throws {
    let lines = running.map {
      GridDisplay.Line(name: grid.plan.name(of: $0.cell), text: $0.process.lastLine, since: $0.start)
    }
    try display.show(lines) { try summary() }
  }

  private func summary() throws -> Summary {
    let cells = board.cells.filter { !gone.contains($0.id) }
    var summary = Summary(cells: cells.count, own: taken)
    for cell in cells {
      if try board.isFinished(cell) {
        summary.finished += 1
      } else if try board.hasFailed(cell) {
        summary.failed += 1
      }
    }
    return summary
  }
}
