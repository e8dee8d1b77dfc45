/// What a grid consists of: `plan.json` in its folder, made from the file that the user wrote.
public struct GridPlan: Codable, Sendable, Hashable {
  /// The version of the file format that this program writes.
  public static let supportedFormat = 1

  public var format = GridPlan.supportedFormat
  /// The grid's name, for headings: what the file says, or the file's own name.
  public var title: String
  /// The axes on which cells differ or that the file names, in the order of the file; ``GridAxis/usual`` first.
  public var axes: [Axis]
  /// What was asked for, in the order of the file.
  public var cells: [GridCell]
  /// Runs without a defense that nobody asked for: they train a backdoored model which several cells share. Where a
  /// cell without a defense was asked for, that cell does.
  public var stages: [GridCell]

  /// An axis and its values, in the order of the file.
  public struct Axis: Codable, Sendable, Hashable {
    public var name: String
    public var values: [String]

    public init(name: String, values: [String]) {
      self.name = name
      self.values = values
    }
  }

  public init(title: String, axes: [Axis], cells: [GridCell], stages: [GridCell] = []) {
    self.title = title
    self.axes = axes
    self.cells = cells
    self.stages = stages
  }

  /// Stages and cells.
  public var all: [GridCell] { stages + cells }

  /// The ids of those that train a model for others.
  public var trainers: Set<String> { Set(all.compactMap(\.needs)) }

  /// What tells a cell from the others, for people: `badnets, sau, seed 1`.
  public func name(of cell: GridCell) -> String {
    let names = [GridAxis.dataset, GridAxis.model, GridAxis.attack, GridAxis.defense]
    let parts = axes.filter { $0.values.count > 1 || $0.name == GridAxis.defense }.compactMap { axis in
      cell.axes[axis.name].map { names.contains(axis.name) ? $0 : "\(axis.name) \($0)" }
    }
    return parts.isEmpty ? cell.folder : parts.joined(separator: ", ")
  }

  /// The values of an axis; none where there is no such axis.
  public func values(of axis: String) -> [String] { axes.first { $0.name == axis }?.values ?? [] }
}
