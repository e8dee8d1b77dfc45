public import Files

/// One run of a grid: an attack, a defense and the other things that the grid varies, with one value each.
public struct GridCell: Codable, Sendable, Hashable, Identifiable {
  /// The id of the run: `ExperimentConfiguration.runID()`, the same that `antidote run` gives these settings.
  public var id: String
  /// The name of the run directory in the grid's folder `runs`.
  public var folder: String
  /// The cell's value on each axis, by the axis's name: `["attack": "badnets", "defense": "sau", "seed": "0", ...]`.
  /// The names of the usual axes are in ``GridAxis``. A cell without an attack has no `rate`.
  public var axes: [String: String]
  /// The id of the cell or stage that trains the backdoored model which this cell takes over; nil where it trains its
  /// own.
  public var needs: String?
  /// What identifies the features that the cell's defense learns without labels: cells of the same ones learn them once.
  /// nil where it learns none.
  public var features: String?
  /// The settings off their defaults: what `ExperimentConfiguration(_:)` takes.
  public var settings: JSONValue

  public init(
    id: String, folder: String, axes: [String: String], needs: String? = nil, features: String? = nil,
    settings: JSONValue
  ) {
    self.id = id
    self.folder = folder
    self.axes = axes
    self.needs = needs
    self.features = features
    self.settings = settings
  }
}

/// The names of the axes that every grid has.
public enum GridAxis {
  public static let dataset = "dataset"
  public static let model = "model"
  public static let attack = "attack"
  /// The poisoning rate, as a number: `0.1`.
  public static let rate = "rate"
  public static let defense = "defense"
  public static let seed = "seed"

  /// In the order in which cells are named and tables are read.
  public static let usual = [dataset, model, attack, rate, defense, seed]
}
