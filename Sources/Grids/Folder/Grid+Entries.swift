import Experiments
import Files
import Foundation

extension Grid {
  func entries(of cells: [GridCell]) throws -> [GridEntry] {
    // What a cell's need came to decides whether it can run.
    var states: [String: CellState] = [:]
    let trainers = plan.trainers
    for cell in plan.all where trainers.contains(cell.id) {
      states[cell.id] = try entry(cell).state
    }
    return try cells.map { cell in
      var entry = try entry(cell)
      if entry.state == .waiting, let needs = cell.needs {
        switch states[needs] {
        case .finished?, nil: break
        case .failed?:
          entry.state = .blocked
          entry.reason = "\(name(of: needs)), which trains its model, failed"
        default: entry.reason = "\(name(of: needs)) trains its model"
        }
      }
      return entry
    }
  }

  private func name(of id: String) -> String { plan.all.first { $0.id == id }.map { plan.name(of: $0) } ?? id }

  /// Where a cell stands, whatever it needs.
  func entry(_ cell: GridCell) throws -> GridEntry {
    var entry = GridEntry(cell: cell, state: .waiting)
    var damage: String?
    do {
      // A folder under the cell's name may hold another run.
      entry.record = try Self.storedRecord(runPath(cell)).flatMap { $0.id == cell.id ? $0 : nil }
    } catch {
      damage = "\(error)"
    }
    let failure = try CellFailure.read(in: folder, id: cell.id)
    entry.failures = failure?.failures ?? 0
    if entry.record?.status == .finished {
      entry.state = .finished
    } else if let claim = try ClaimFolder(grid: folder).current(cell.id), let holder = claim.holder,
      !holder.process.isKnownDead, !claim.isLongSilent()
    {
      entry.state = .running
      entry.worker = holder.process.description
      entry.progress = RunProgress(ofRun: runPath(cell))
    } else if let reason = failure?.reason ?? damage ?? entry.record?.failure {
      entry.state = .failed
      entry.reason = reason
    }
    return entry
  }

  private static func storedRecord(_ path: String) throws -> RunRecord? {
    guard FileSystem.exists(Path.join(path, RunDirectory.recordName)) else { return nil }
    return try RunDirectory.open(path).readRecord()
  }
}
