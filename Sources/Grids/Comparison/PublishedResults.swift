public import Files
import Foundation
import Support

/// Numbers that somebody printed: the table of a paper, to hold runs against.
///
/// A YAML file has a title, the settings that all numbers were made with, and the numbers one by one:
///
/// ```yaml
/// title: Wei et al. 2023, Shared adversarial unlearning
/// unit: percent
/// settings: {dataset.name: cifar10, attack.rate: 0.1}
/// values:
///   - {attack: badnets, defense: anp, metric: ACC, value: 90.88, source: "table 2, BadNets"}
/// ```
///
/// A value may have a `deviation` over seeds, and further settings by their dotted names, such as `attack.size: 2`, which
/// tell it from others of the same attack and defense. A CSV file has the columns `attack`, `defense`, `metric`, `value`,
/// `source`, and any of these; its shares are fractions unless a column `unit` says `percent`.
public struct PublishedResults: Sendable {
  public struct Value: Sendable, Equatable {
    public var attack: String
    public var defense: String
    public var metric: ResultMetric
    /// A share as a fraction.
    public var value: Double
    public var deviation: Double?
    /// Further settings.
    public var settings: [String: JSONValue] = [:]
    /// The table and its row.
    public var source: String

    func isSameCell(_ other: Value) -> Bool {
      (attack, defense, metric) == (other.attack, other.defense, other.metric) && settings == other.settings
    }
  }

  public var title: String
  /// What all values were made with.
  public var settings: [String: JSONValue]
  public var values: [Value]

  /// Reads a file by the end of its name: `.csv`, or YAML.
  /// - Throws: `FileError`; `ParseError` and `SettingsError` with the line of what is wrong.
  public init(contentsOf path: String) throws {
    let text = try FileSystem.readText(path, limit: FormatLimits.settings.bytes)
    try self.init(text, source: path, isCSV: path.hasSuffix(".csv"))
  }

  init(_ text: String, source: String, isCSV: Bool) throws {
    if isCSV {
      title = Path.name(source)
      settings = [:]
      values = try Self.values(csv: text, source: source)
      return
    }
    let document = try YAMLDocument(text, source: source)
    do throws(SettingsError) {
      let tree = document.value
      for key in (tree.objectValue ?? [:]).keys.sorted() where !["title", "unit", "settings", "values"].contains(key) {
        throw SettingsError.unknownName(what: "key", name: key, known: ["title", "unit", "settings", "values"])
      }
      title = tree["title"]?.stringValue ?? Path.name(source)
      settings = try Self.general(tree["settings"] ?? [:])
      let unit = tree["unit"] ?? "fraction"
      guard let items = tree["values"]?.arrayValue, !items.isEmpty else {
        throw SettingsError("values", "is missing: a list of values with attack, defense, metric, value and source.")
      }
      var values: [Value] = []
      for (index, item) in items.enumerated() {
        let value = try Self.value(item, unit: unit, at: "values[\(index)]")
        if let before = values.first(where: value.isSameCell) { throw Self.repeated(before, at: "values[\(index)]") }
        values.append(value)
      }
      self.values = values
    } catch {
      throw error.located(in: document)
    }
  }

  /// What all values were made with, by dotted names.
  private static func general(_ tree: JSONValue) throws(SettingsError) -> [String: JSONValue] {
    guard let members = tree.objectValue else {
      throw SettingsError(
        "settings", "expected a group such as {dataset.name: cifar10}, found \(tree.kindDescription).")
    }
    for (key, value) in members.sorted(by: { $0.key < $1.key }) where value.objectValue != nil {
      throw SettingsError("settings.\(key)", "is a group. Write settings by their dotted names, such as \(key).name.")
    }
    return members
  }

  private static func repeated(_ before: Value, at place: String) -> SettingsError {
    SettingsError(
      place,
      "\(before.metric.abbreviation) of \(before.defense) against \(before.attack) with these settings stands here twice. "
        + "Remove one, or add the setting in which they differ.")
  }

  private static let keys = ["attack", "defense", "metric", "value", "deviation", "source", "unit"]

  private static func value(_ item: JSONValue, unit: JSONValue, at place: String) throws(SettingsError) -> Value {
    guard let members = item.objectValue else {
      throw SettingsError(place, "expected a group with attack, defense, metric, value and source.")
    }
    func name(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }
    func text(_ key: String) throws(SettingsError) -> String {
      guard let text = members[key]?.stringValue, !text.isEmpty else {
        throw SettingsError(name(key), "is missing, or is no text.")
      }
      return text
    }
    let metric: ResultMetric
    do { metric = try ResultMetric.named(try text("metric")) } catch {
      throw SettingsError(name("metric"), error.issues.first?.message ?? "is missing.")
    }
    guard let value = members["value"]?.doubleValue, value.isFinite else {
      throw SettingsError(name("value"), "is missing, or is no number.")
    }
    let unit = members["unit"] ?? unit
    guard ["percent", "fraction"].contains(unit) else {
      throw SettingsError(name("unit"), "is \(unit.compactJSON); known: percent, fraction.")
    }
    // 93.2 is no fraction: the line that says percent was forgotten.
    guard metric.kind != .share || unit == "percent" || (-1...1).contains(value) else {
      throw SettingsError(name("value"), "\(value) is beyond 1. Say \"unit: percent\" for shares in percent.")
    }
    let deviation = members["deviation"]?.doubleValue
    if let given = members["deviation"], !given.isNull, !(deviation.map { $0.isFinite && $0 >= 0 } ?? false) {
      throw SettingsError(name("deviation"), "expected a number from 0, found \(given.compactJSON).")
    }
    let divisor: Double = unit == "percent" && metric.kind != .count && metric.kind != .seconds ? 100 : 1
    for key in members.keys.sorted() where !keys.contains(key) && !key.contains(".") {
      throw SettingsError.unknownName(what: "key", name: key, known: keys + ["settings by their dotted names"])
    }
    return Value(
      attack: try text("attack"), defense: try text("defense"), metric: metric, value: value / divisor,
      deviation: deviation.map { $0 / divisor },
      settings: members.filter { $0.key.contains(".") }, source: try text("source"))
  }

  private static func values(csv text: String, source: String) throws -> [Value] {
    let table = try CSVTable(text, path: source)
    for key in ["attack", "defense", "metric", "value", "source"] where !table.header.contains(key) {
      throw ParseError("there is no column \"\(key)\".", source: source, line: 1)
    }
    var values: [Value] = []
    for row in table.rows {
      var item: JSONValue = [:]
      for (key, cell) in zip(table.header, row.fields) where !cell.isEmpty {
        let isText = ["attack", "defense", "metric", "source", "unit"].contains(key)
        item[key] = isText ? .string(cell) : try SettingsTree.parseAssignment("value=\(cell)").value
      }
      do {
        let value = try value(item, unit: "fraction", at: "")
        if let before = values.first(where: value.isSameCell) { throw repeated(before, at: "") }
        values.append(value)
      } catch let error as SettingsError {
        throw ParseError(error.description, source: source, line: row.line)
      }
    }
    return values
  }
}
