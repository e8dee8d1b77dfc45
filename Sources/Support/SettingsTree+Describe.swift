import Files

/// One line of a list of settings.
public struct SettingDescription: Sendable, Hashable {
  /// The dotted name, nested groups included: `schedule.epochs`.
  public let key: String
  /// The default as it would be written in a file: `0.1`, `null`, `[1, 2]`.
  public let defaultText: String
  /// What a value is: `number`, `whole number`, `true/false`, `text`, `list`, `group`, or `value` where it cannot be
  /// told.
  public let kind: String
  public let unit: String?
  public let summary: String
  public let choices: [String]?
  /// The range in words: `0 to 1`, `at least 1`.
  public let range: String?
  public let source: String?
}

extension SettingsTree {
  /// The settings of a configuration in their documented order, each group followed by its members.
  public static func describe(_ type: any Configurable.Type) -> [SettingDescription] {
    let defaults = (try? JSONValue(encoding: type.init())) ?? .object([:])
    return describe(type, defaults: completed(defaults, type), prefix: "")
  }

  /// The same with the values of a configuration in place of the defaults.
  public static func describe<T: Configurable>(_ type: T.Type, values: T) -> [SettingDescription] {
    let tree = (try? JSONValue(encoding: values)) ?? .object([:])
    return describe(type, defaults: completed(tree, type), prefix: "")
  }

  private static func describe(_ type: any Configurable.Type, defaults: JSONValue, prefix: String)
    -> [SettingDescription]
  {
    type.settings.flatMap { setting -> [SettingDescription] in
      let value = defaults[setting.key] ?? .null
      let line = SettingDescription(
        key: prefix + setting.key,
        defaultText: setting.nested != nil && value.objectValue != nil ? "" : value.inlineText,
        kind: setting.nested != nil ? "group" : kind(of: setting, type, defaults: defaults), unit: setting.unit,
        summary: setting.summary, choices: setting.choices, range: setting.range.map(text(of:)), source: setting.source)
      guard let nested = setting.nested else { return [line] }
      let members =
        value.objectValue != nil ? value : completed((try? JSONValue(encoding: nested.init())) ?? .null, nested)
      return [line] + describe(nested, defaults: members, prefix: prefix + setting.key + ".")
    }
  }

  /// The kind of a setting, found by trying values on it: a nil default does not tell its type.
  static func kind(of setting: Setting, _ type: any Configurable.Type, defaults: JSONValue) -> String {
    func accepts(_ value: JSONValue) -> Bool {
      var trial = defaults
      trial[setting.key] = value
      return (try? trial.decode(type)) != nil
    }
    if accepts(.bool(true)) { return accepts("text") ? "value" : "true/false" }
    if accepts(.double(0.5)) { return "number" }
    if accepts(.int(1)) { return "whole number" }
    if accepts("text") || (setting.choices ?? []).contains(where: { accepts(.string($0)) }) { return "text" }
    if accepts([]) { return "list" }
    if case .string? = defaults[setting.key] { return "text" }
    return "value"
  }

  /// A range in words; whole ends are written without a point.
  static func text(of range: ClosedRange<Double>) -> String {
    func text(_ value: Double) -> String { JSONValue.double(value).canonicalJSON }
    switch (range.lowerBound.isFinite, range.upperBound.isFinite) {
    case (true, true): return "\(text(range.lowerBound)) to \(text(range.upperBound))"
    case (true, false): return "at least \(text(range.lowerBound))"
    case (false, true): return "at most \(text(range.upperBound))"
    case (false, false): return "any number"
    }
  }
}

extension JSONValue {
  /// The value on one line as a YAML file would hold it: text without quotes where it needs none, exponents with point
  /// and sign.
  var inlineText: String {
    switch self {
    case .array(let elements): "[" + elements.map(\.inlineText).joined(separator: ", ") + "]"
    case .double(let value) where value.isInfinite: value > 0 ? ".inf" : "-.inf"
    case .string(let text): PlainScalar.needsQuotes(text) ? compactJSON : text
    default: compactJSON
    }
  }
}
