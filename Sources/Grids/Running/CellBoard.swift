import Experiments
import Files
import Foundation

/// What a worker knows of the cells of its part: it looks at the folder again and again, and remembers what does not
/// change any more.
final class CellBoard {
  private let grid: Grid
  private let claims: ClaimFolder
  let cells: [GridCell]
  private let known: [String: GridCell]
  /// The cells that have features in common, by the features' id.
  private let holders: [String: [GridCell]]
  private var finished: Set<String> = []
  private var tidy: Set<String> = []
  /// How often cells had failed when this worker began, where it tries them again: a count that has risen since is a
  /// failure of the new try.
  private var forgiven: [String: Int] = [:]
  private let watch: ClaimWatch
  private var statuses: [String: (stamp: Stamp, isFinished: Bool)] = [:]

  private struct Stamp: Equatable {
    var file: UInt64
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  init(_ grid: Grid, _ cells: [GridCell], retriesFailed: Bool) throws {
    self.grid = grid
    self.cells = cells
    claims = ClaimFolder(grid: grid.folder)
    watch = ClaimWatch(claims)
    holders = Dictionary(grouping: grid.plan.all.filter { $0.features != nil }) { $0.features ?? "" }
    known = Dictionary(grid.plan.all.map { ($0.id, $0) }) { first, _ in first }
    for cell in cells {
      guard let failure = try CellFailure.read(in: grid.folder, id: cell.id) else { continue }
      // What is left of a finished run takes a moment.
      if try retriesFailed || isFinished(cell) { forgiven[cell.id] = failure.failures }
    }
  }

  /// Whether the cell's record is complete.
  func isFinished(_ cell: GridCell) throws -> Bool {
    if finished.contains(cell.id) { return true }
    let path = Path.join(grid.runPath(cell), RunDirectory.recordName)
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    let stamp = Stamp(
      file: UInt64(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
    if let before = statuses[cell.id], before.stamp == stamp { return before.isFinished }
    let record = try? RunDirectory.open(grid.runPath(cell)).readRecord()
    let isFinished = record?.status == .finished && record?.id == cell.id
    statuses[cell.id] = (stamp, isFinished)
    if isFinished { finished.insert(cell.id) }
    return isFinished
  }

  /// Whether nothing is left to do for a finished cell: its process may have been killed before it had cleaned up and
  /// written the report.
  private func isTidy(_ cell: GridCell) throws -> Bool {
    if tidy.contains(cell.id) { return true }
    let isTidy = try RunDirectory.isTidy(grid.runPath(cell))
    if isTidy { tidy.insert(cell.id) }
    return isTidy
  }

  /// How the cell failed, where it is not to be tried again.
  func failure(_ cell: GridCell) throws -> CellFailure? {
    let failure = try CellFailure.read(in: grid.folder, id: cell.id)
    return failure.flatMap { $0.failures == forgiven[cell.id] ? nil : $0 }
  }

  /// The cell that trains this one's model.
  func need(of cell: GridCell) -> GridCell? { cell.needs.flatMap { known[$0] } }

  /// Whether nothing is left to do for the cell: it is finished, or failed, or its model did.
  func isOver(_ cell: GridCell) throws -> Bool {
    try isFinished(cell) && isTidy(cell) || hasFailed(cell)
  }

  /// Whether the cell failed, or its model did. A cell that ends between two looks is never a failed one.
  func hasFailed(_ cell: GridCell) throws -> Bool {
    if try failure(cell) != nil { return true }
    return try need(of: cell).map { try !isFinished($0) && failure($0) != nil } ?? false
  }

  /// Whether the cell could run now, if nobody else works on it.
  func isReady(_ cell: GridCell) throws -> Bool { try isDue(cell) && !waitsForFeatures(cell) }

  private func isDue(_ cell: GridCell) throws -> Bool {
    guard try !isOver(cell) else { return false }
    return try need(of: cell).map { try isFinished($0) } ?? true
  }

  /// Whether another cell learns the features that this one needs, or is about to: its process would only wait. Where
  /// two begin at once all the same, one of them waits.
  private func waitsForFeatures(_ cell: GridCell) throws -> Bool {
    guard let features = cell.features, let cells = holders[features], cells.count > 1 else { return false }
    if let isHeld = try watch.isHeld(FeatureClaims.name(of: features)) { return isHeld }
    return try cells.contains { try $0.id != cell.id && watch.isHeld($0.id) == true }
  }

  /// Takes a cell that is ready, unless another process works on it.
  func take(_ cell: GridCell, lease: Double) throws -> HeldClaim? {
    guard let held = try watch.take(cell.id, lease: lease) else { return nil }
    // Its last holder may have finished it, or failed, since the first look.
    guard try isDue(cell) else {
      try held.release()
      return nil
    }
    return held
  }
}
