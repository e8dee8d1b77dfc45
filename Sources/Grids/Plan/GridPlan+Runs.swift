import Experiments
import Files
import Support

extension GridPlan {
  /// The plan of runs that are there, for a folder without a `plan.json`: every readable run is a cell.
  /// - Parameter folder: the grid's folder.
  /// - Throws: `FileError`.
  init(runsIn folder: String) throws {
    let runs = Path.join(folder, Grid.runsName)
    var cells: [GridCell] = []
    for name in try FileSystem.subfolders(runs) {
      guard let record = try? RunDirectory.open(Path.join(runs, name)).readRecord() else { continue }
      cells.append(
        GridCell(
          id: record.id, folder: name, axes: GridCell.axes(of: record.configuration), settings: record.configuration))
    }
    let axes = GridAxis.usual.map { axis in
      var values: [String] = []
      for value in cells.compactMap({ $0.axes[axis] }) where !values.contains(value) { values.append(value) }
      return Axis(name: axis, values: values)
    }
    self.init(title: Path.name(folder), axes: axes.filter { !$0.values.isEmpty }, cells: cells)
  }
}

extension GridCell {
  /// The usual axes of a run, from its resolved configuration.
  static func axes(of configuration: JSONValue) -> [String: String] {
    func name(_ section: String) -> String? {
      configuration[section]?.stringValue ?? configuration[section]?["name"]?.stringValue
    }
    var axes: [String: String] = [:]
    axes[GridAxis.dataset] = name("dataset")
    axes[GridAxis.model] = name("model")
    axes[GridAxis.attack] = name("attack") ?? "none"
    axes[GridAxis.rate] = configuration["attack"]?["rate"]?.canonicalJSON
    axes[GridAxis.defense] = name("defense") ?? "none"
    axes[GridAxis.seed] = configuration["seed"]?.canonicalJSON
    return axes
  }
}
