import Experiments
import Files
import Support

/// `compute.json`: the threads and the precision of all cells for which the settings leave them open. The first cell that
/// runs decides them for all: cells take over models from each other, and models that were made with other threads or
/// in another precision have other bits.
enum GridCompute {
  static func path(in folder: String) -> String { Path.join(folder, Grid.computeName) }

  /// What was decided; nil before the first cell.
  /// - Throws: `GridError` for a damaged file, `FileError`.
  static func stored(in folder: String) throws -> ComputePlan.Earlier? {
    guard let bytes = try FileSystem.readIfPresent(path(in: folder)) else { return nil }
    let plan: ComputePlan.Earlier
    do {
      plan = try JSONValue(json: bytes).decode()
    } catch {
      throw GridError.damaged(path: path(in: folder), reason: "\(error)")
    }
    guard ThreadChoice.range.contains(plan.threads) else {
      throw GridError.damaged(path: path(in: folder), reason: "\(plan.threads) is no number of threads.")
    }
    return plan
  }

  /// What was decided, or is decided now.
  /// - Parameters:
  ///   - threads: of a grid for which nothing was decided yet.
  /// - Throws: `GridError`, `FileError`, `TorchError` for a device that is missing.
  static func settled(in folder: String, _ configuration: ExperimentConfiguration, threads: Int) throws
    -> ComputePlan.Earlier
  {
    if let stored = try stored(in: folder) { return stored }
    var general = GeneralSettings()
    general.device = configuration.general.device
    general.threads = .count(threads)
    general.precision = configuration.general.precision
    let plan = try ComputePlan(general)
    let decided = ComputePlan.Earlier(threads: plan.threads, precision: plan.precision)
    // Another process may be quicker; then all take what it decided.
    _ = try AtomicFile.create(try JSONValue(encoding: decided).compactJSON + "\n", at: path(in: folder))
    return try stored(in: folder) ?? decided
  }
}

extension Grid {
  /// CPU threads of each cell: those of the settings, or as the grid was begun, or as asked; else 1.
  /// - Throws: `GridError` for other threads than the settings say or the grid was begun with; `FileError`.
  public func threads(asked: Int?) throws -> Int {
    let begun = try GridCompute.stored(in: folder)?.threads
    let fixed = plan.all.first?.settings["threads"]?.intValue ?? begun
    if let fixed, fixed < 1 { throw GridError.damaged(path: folder, reason: "a cell has \(fixed) threads.") }
    if let fixed, let asked, asked != fixed { throw GridError.otherThreads(asked: asked, found: fixed, folder: folder) }
    return fixed ?? asked ?? 1
  }
}
