import Files

/// The runs of a folder, and what a grid's plan knows of those that have none yet.
public enum GridRuns {
  /// Every run that the index has, and a run without results for each cell of the plan that has no record.
  /// - Throws: `FileError`; `GridError` for a damaged plan.
  public static func all(in folder: String) throws -> [RunSummary] {
    var runs = try RunIndex(of: folder).runs()
    guard FileSystem.isFile(Path.join(folder, Grid.planName)) else { return runs }
    for entry in try Grid(folder: folder).entries() where entry.state != .finished {
      let path = Path.join(Grid.runsName, entry.cell.folder)
      let place = runs.firstIndex { $0.folder == path } ?? runs.endIndex
      if place == runs.endIndex { runs.append(RunSummary(folder: path, status: .waiting)) }
      // What the grid knows is newer than the record of a process that was killed.
      runs[place].status = RunSummary.Status(entry.state)
      runs[place].failure = entry.reason ?? runs[place].failure
      if runs[place].settings == [:] { runs[place].settings = entry.cell.settings }
    }
    return runs
  }
}

extension RunSummary.Status {
  init(_ state: CellState) {
    switch state {
    case .waiting, .blocked: self = .waiting
    case .running: self = .running
    case .finished: self = .finished
    case .failed: self = .failed
    }
  }
}
