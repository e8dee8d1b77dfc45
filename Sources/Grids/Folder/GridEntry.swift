public import Experiments

/// Where one cell of a grid stands.
public struct GridEntry: Sendable {
  public var cell: GridCell
  public var state: CellState
  /// Why the cell failed, or what it waits for; nil otherwise.
  public var reason: String?
  /// How often the cell failed.
  public var failures = 0
  /// The run's record as it stands: the results of a finished cell, and what there is of any other; nil before its
  /// first process wrote one.
  public var record: RunRecord?
  /// Who works on it: `host:process`; nil unless the cell is running.
  public var worker: String?
  /// How far a running cell is; nil before its process said so.
  public var progress: RunProgress?

  public init(cell: GridCell, state: CellState) {
    self.cell = cell
    self.state = state
  }
}

/// Where a cell stands.
public enum CellState: String, Codable, Sendable, CaseIterable {
  /// Nobody has begun it, or it was interrupted and goes on where it stopped.
  case waiting
  /// A process works on it.
  case running
  /// Its record is complete.
  case finished
  /// Its process ended with an error; ``GridEntry/reason`` says which. It is tried again when asked for.
  case failed
  /// The cell that trains its backdoored model failed.
  case blocked
}
