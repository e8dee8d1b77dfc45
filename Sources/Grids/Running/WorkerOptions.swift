/// How a worker works on a grid.
public struct WorkerOptions: Sendable {
  /// Processes side by side.
  public var jobs: Int
  /// CPU threads of each, for a grid that was not begun yet; nil: 1, or as it was begun. A grid whose settings name
  /// threads has those.
  public var threads: Int?
  /// Where this worker's cells compute, in place of what their settings say; nil: as they say.
  public var device: String?
  /// Whether cells that failed before are tried again, once.
  public var retriesFailed = false
  /// Which part of the grid; the whole, by default.
  public var part = GridPart.all
  /// Seconds without a sign of life after which other machines take over a cell of this worker.
  public var lease = 120.0
  /// Seconds between two looks at what other workers do.
  public var interval = 2.0

  public init(jobs: Int) { self.jobs = jobs }
}
