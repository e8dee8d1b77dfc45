import Experiments
import Files
import Foundation
import Support

/// The folder of a grid.
///
/// ```
/// grid.yaml            the file as the user gave it
/// plan.json            the cells that it stands for; see GridPlan
/// compute.json         threads and precision of all cells; see GridCompute
/// runs/<folder>/       one run directory a cell, as `antidote run` makes them
/// cells/<id>.json      of a cell that failed: why, how often, after how long; see CellFailure
/// cells/<id>.log       what the cell's last process said
/// claims/<id>.<n>      which process works on a cell; see ClaimFolder
/// ```
///
/// Any number of processes on any number of machines may read and work here at once. `runs` alone is enough to read
/// results: without a plan, every run in it is a cell.
public struct Grid: Sendable {
  public static let specificationName = "grid.yaml"
  public static let planName = "plan.json"
  public static let computeName = "compute.json"
  public static let runsName = "runs"
  public static let cellsName = "cells"
  public static let claimsName = "claims"

  /// The folder's path, as given, without a slash at the end.
  public let folder: String
  /// The plan; without a `plan.json`, one of the runs that are there.
  public let plan: GridPlan

  /// Opens a grid's folder for reading; processes may be working in it.
  /// - Throws: `GridError` where the folder holds neither a plan nor runs, or the plan is damaged; `FileError`.
  public init(folder: String) throws {
    let folder = Path.withoutFinalSlash(folder)
    self.folder = folder
    if let plan = try Self.storedPlan(in: folder) {
      self.plan = plan
    } else {
      guard FileSystem.isFolder(Path.join(folder, Self.runsName)) else { throw GridError.notAGrid(folder: folder) }
      plan = try GridPlan(runsIn: folder)
    }
  }

  /// The plan in a folder; nil where there is none.
  /// - Throws: `GridError`, `FileError`.
  public static func storedPlan(in folder: String) throws -> GridPlan? {
    let path = Path.join(folder, planName)
    guard let bytes = try FileSystem.readIfPresent(path) else { return nil }
    do {
      let plan: GridPlan = try JSONValue(json: bytes).decode()
      guard plan.format == GridPlan.supportedFormat else {
        throw GridError.unknownFormat(path: path, found: plan.format)
      }
      return plan
    } catch let error as GridError {
      throw error
    } catch {
      throw GridError.damaged(path: path, reason: "\(error)")
    }
  }

  public var specificationPath: String { Path.join(folder, Self.specificationName) }
  public var planPath: String { Path.join(folder, Self.planName) }
  public var runsPath: String { Path.join(folder, Self.runsName) }

  /// The run directory of a cell; it is there once the cell was begun.
  public func runPath(_ cell: GridCell) -> String { Path.join(folder, Self.runsName, cell.folder) }
  /// Where the last process of a cell wrote what it said.
  public func logPath(_ cell: GridCell) -> String { Path.join(folder, Self.cellsName, "\(cell.id).log") }

  /// Where every cell that was asked for stands, with its record, in the plan's order.
  /// - Throws: `FileError`. A record that cannot be read makes its cell a failed one, with that reason.
  public func entries() throws -> [GridEntry] { try entries(of: plan.cells) }
  /// The same for the stages, which nobody asked for.
  public func stageEntries() throws -> [GridEntry] { try entries(of: plan.stages) }
}
