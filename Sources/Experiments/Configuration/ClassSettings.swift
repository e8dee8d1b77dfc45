import Files
import Support
import Vision

/// Settings that name a class, or a list of them: those of the units `class` and `classes`. A name in their place
/// becomes the class's number before anything else sees it, so that both spellings are the same run.
enum ClassSettings {
  /// The settings with every class name as its number.
  /// - Parameters:
  ///   - path: of the group, for errors: `attack`.
  ///   - classes: asked where there is a name, which takes a look at the data set's files.
  /// - Throws: `SettingsError` for a name that is no class, and what `classes` throws.
  static func numbered(
    _ settings: JSONValue, _ type: any Configurable.Type, at path: String, of dataset: String,
    classes: () throws -> [String]
  ) throws -> JSONValue {
    try replaced(settings, type, at: path) { value, path in
      guard let name = value.stringValue else { return value }
      let number = try ClassNames(classes()).number(of: name, setting: path, source: "the data set \(dataset)")
      return .int(number)
    }
  }

  /// The settings with their classes numbered in another order. A number that is no class stays, for its own error.
  /// - Parameter positions: the new number of each class.
  static func renumbered(_ settings: JSONValue, _ type: any Configurable.Type, _ positions: [Int]) throws -> JSONValue {
    try replaced(settings, type, at: "") { value, _ in
      guard let number = value.intValue, positions.indices.contains(number) else { return value }
      return .int(positions[number])
    }
  }

  private static func replaced(
    _ settings: JSONValue, _ type: any Configurable.Type, at path: String,
    _ body: (_ value: JSONValue, _ path: String) throws -> JSONValue
  ) throws -> JSONValue {
    guard case .object(var members) = settings else { return settings }
    for setting in type.settings {
      guard let value = members[setting.key] else { continue }
      let here = path.isEmpty ? setting.key : "\(path).\(setting.key)"
      if let nested = setting.nested {
        members[setting.key] = try replaced(value, nested, at: here, body)
      } else if setting.unit == "class" {
        members[setting.key] = try body(value, here)
      } else if setting.unit == "classes", let items = value.arrayValue {
        members[setting.key] = .array(try items.map { try body($0, here) })
      }
    }
    return .object(members)
  }
}
