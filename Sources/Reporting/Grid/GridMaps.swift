import Experiments
import Files
import Grids
import Support

/// Maps of training samples, such as t-SNE of their features, out of the records of a grid.
struct GridMaps {
  struct Map {
    /// The cell, and what the map shows.
    var title: String
    var map: RunRecord.SampleMap

    /// One row a point.
    var rows: [[String]] {
      [["x", "y", "label", "poisoned"]]
        + map.x.indices.map { ["\(map.x[$0])", "\(map.y[$0])", "\(map.labels[$0])", map.poisoned[$0] ? "1" : "0"] }
    }
  }

  /// Those of each cell's first run: points of several runs have no places in common.
  /// - Parameter root: The folder in which the runs lie.
  /// - Throws: `RunStoreError`, `FileError`; `SettingsError` where no run has any.
  static func maps(_ grid: ResultGrid, root: String) throws -> [Map] {
    var maps: [Map] = []
    for table in grid.tables {
      for (row, rowLabel) in table.rows.enumerated() {
        for (column, columnLabel) in table.columns.enumerated() {
          guard let cell = table.cells[row][column], !cell.isDerived,
            let run = cell.runs.min(by: { ($0.seed ?? 0, $0.folder) < ($1.seed ?? 0, $1.folder) })
          else { continue }
          let folder = run.folder == "." ? root : Path.join(root, run.folder)
          let place = [table.label.text, rowLabel.text, columnLabel.text].filter { !$0.isEmpty }.joined(separator: ", ")
          for map in try RunDirectory.open(folder).readRecord()?.findings?.maps ?? [] {
            maps.append(Map(title: "\(place): \(map.title)", map: map))
          }
        }
      }
    }
    guard !maps.isEmpty else {
      throw SettingsError(
        "", "no finished run has a map of its samples: its defense gave no features, or mapPoints is 0.")
    }
    return maps
  }
}
