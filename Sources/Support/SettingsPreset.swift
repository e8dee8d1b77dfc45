public import Files

/// Settings of a method under a name, such as those of a benchmark: `--set defense.preset=backdoorbench`. They go over
/// the defaults and under what the user sets.
public struct SettingsPreset: Sendable {
  public let name: String
  /// Where the values come from.
  public let source: String
  /// What differs from the defaults.
  public let settings: JSONValue

  public init(_ name: String, _ source: String, _ settings: JSONValue) {
    self.name = name
    self.source = source
    self.settings = settings
  }

  /// The key by which settings name one.
  public static let key = "preset"

  /// Puts the preset that the overrides name under them.
  /// - Parameters:
  ///   - method: in words, for errors: "defense nc".
  ///   - path: of the settings, for errors: "defense".
  /// - Returns: the name, nil where there is none, and the overrides without it.
  /// - Throws: `SettingsError` for a name that is none of the presets.
  public static func applied(
    _ overrides: JSONValue, among presets: [SettingsPreset], of method: String, at path: String
  ) throws(SettingsError) -> (name: String?, overrides: JSONValue) {
    guard case .object(var members) = overrides, let value = members.removeValue(forKey: key) else {
      return (nil, overrides)
    }
    if value == .null { return (nil, .object(members)) }
    let place = SettingsTree.join(path, key)
    guard let name = value.stringValue else {
      throw SettingsError(place, "expected the name of a preset, found \(value.kindDescription).")
    }
    guard let preset = presets.first(where: { $0.name == name }) else {
      let known = presets.map(\.name)
      let question = Nearest.question(name, among: known)
      throw SettingsError(
        place,
        known.isEmpty
          ? "\(method) has no presets. Leave the setting out."
          : "unknown preset \"\(escaped(name, limit: 120))\" of \(method). " + (question.isEmpty ? "" : question + " ")
            + "Known: \(known.joined(separator: ", ")).")
    }
    return (name, SettingsTree.merge(preset.settings, .object(members)))
  }
}

extension SettingsPreset {
  /// Its settings one by one, nested keys joined by dots, as they would be written in a file.
  public var leaves: [(key: String, value: String)] { Self.leaves(settings, "") }

  private static func leaves(_ tree: JSONValue, _ path: String) -> [(key: String, value: String)] {
    guard case .object(let members) = tree else { return [(path, tree.inlineText)] }
    return members.sorted { $0.key < $1.key }.flatMap { leaves($0.value, SettingsTree.join(path, $0.key)) }
  }
}
