public import Files

/// Operations on configurations as trees: defaults, overrides, checks.
public enum SettingsTree {
  /// The full tree of a configuration: every documented setting has its key, null where it is nil.
  /// - Throws: What the configuration's own encoding throws.
  public static func encode(_ configuration: some Configurable) throws -> JSONValue {
    try completed(JSONValue(encoding: configuration), type(of: configuration))
  }

  /// The configuration that results from the defaults of `type` with `overrides` put over them key by key.
  ///
  /// Groups described by another `Configurable` are merged in the same way, at any depth; other objects and lists are
  /// replaced as a whole.
  /// - Parameter path: The place of this configuration, as it is named in errors: `attack`.
  /// - Throws: `SettingsError` with every unknown key, wrong type, value out of range and value that is not among the
  ///   choices.
  public static func resolve<T: Configurable>(
    _ type: T.Type = T.self, overrides: JSONValue = .object([:]), at path: String = ""
  ) throws(SettingsError) -> T {
    var resolution = Resolution()
    let tree = resolution.tree(type, base: nil, overrides: overrides, path: path)
    guard resolution.issues.isEmpty else { throw SettingsError(resolution.issues) }
    do {
      return try tree.decode(type)
    } catch {
      throw SettingsError([Resolution.issue(error, in: tree, path: path)])
    }
  }

  /// Objects merged key by key at every depth; elsewhere the override wins, null included.
  public static func merge(_ base: JSONValue, _ overrides: JSONValue) -> JSONValue {
    guard case .object(let old) = base, case .object(let new) = overrides else { return overrides }
    return .object(old.merging(new) { merge($0, $1) })
  }

  /// Adds null for documented keys that an encoding left out, in nested groups too.
  static func completed(_ tree: JSONValue, _ type: any Configurable.Type) -> JSONValue {
    guard case .object(var members) = tree else { return tree }
    for setting in type.settings {
      let value = members[setting.key] ?? .null
      guard let nested = setting.nested else {
        members[setting.key] = value
        continue
      }
      if case .array(let elements) = value {
        members[setting.key] = .array(elements.map { completed($0, nested) })
      } else {
        members[setting.key] = completed(value, nested)
      }
    }
    return .object(members)
  }

  /// What is wrong with a value by its description; nil where the description has nothing against it.
  static func valueProblem(_ value: JSONValue, _ setting: Setting) -> String? {
    if case .array(let elements) = value {
      for (index, element) in elements.enumerated() {
        if let problem = valueProblem(element, setting) { return "element \(index): \(problem)" }
      }
      return nil
    }
    if let choices = setting.choices, let text = value.stringValue, !choices.contains(text) {
      let question = Nearest.question(text, among: choices)
      return "\(JSONValue.string(text).compactJSON) is not one of the choices. "
        + (question.isEmpty ? "" : question + " ") + "Choices: \(choices.joined(separator: ", "))."
    }
    // JSON text holds these numbers as words.
    if setting.range != nil, let word = value.stringValue, ["NaN", "Infinity", "-Infinity"].contains(word) {
      return "\(word) is not a setting."
    }
    if let number = value.doubleValue {
      if number.isNaN { return "NaN is not a setting." }
      if let range = setting.range, !range.contains(number) {
        let unit = setting.unit.map { " (\($0))" } ?? ""
        return "\(value.compactJSON) is out of range; expected \(text(of: range))\(unit)."
      }
    }
    return nil
  }

  static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

/// One pass over a configuration, collecting what is wrong with it.
private struct Resolution {
  var issues: [SettingsError.Issue] = []

  /// The tree of `type` with `overrides` over `base` (nil: the defaults).
  mutating func tree(_ type: any Configurable.Type, base: JSONValue?, overrides: JSONValue, path: String) -> JSONValue {
    let defaults: JSONValue
    do {
      defaults = SettingsTree.completed(try base ?? JSONValue(encoding: type.init()), type)
    } catch {
      note(path, "the defaults of \(type) cannot be encoded: \(error)")
      return .null
    }
    guard case .object(let overridden) = overrides else {
      note(path, "expected a group of settings, found \(overrides.kindDescription). \(Self.known(type, defaults))")
      return defaults
    }
    var result = defaults
    for key in overridden.keys.sorted() {
      let value = overridden[key] ?? .null
      let keyPath = SettingsTree.join(path, key)
      guard let current = defaults[key] else {
        noteUnknown(key, type, defaults, path: path)
        continue
      }
      let setting = type.settings.first { $0.key == key }
      let before = issues.count
      let new = setting?.nested.map { nestedTree($0, base: current, overrides: value, path: keyPath) } ?? value
      if issues.count == before { check(type, defaults, key: key, value: new, setting: setting, path: path) }
      result[key] = new
    }
    return result
  }

  private mutating func nestedTree(_ type: any Configurable.Type, base: JSONValue, overrides: JSONValue, path: String)
    -> JSONValue
  {
    switch overrides {
    case .null: return .null
    case .array(let elements):
      return .array(
        elements.enumerated().map { index, element in
          tree(type, base: nil, overrides: element, path: "\(path)[\(index)]")
        })
    default:
      let group: JSONValue? = if case .object = base { base } else { nil }
      return tree(type, base: group, overrides: overrides, path: path)
    }
  }

  // MARK: Checks

  /// Tries one value on otherwise untouched defaults, so that each wrong setting is reported by its own name.
  private mutating func check(
    _ type: any Configurable.Type, _ defaults: JSONValue, key: String, value: JSONValue, setting: Setting?, path: String
  ) {
    let keyPath = SettingsTree.join(path, key)
    if let setting, let problem = SettingsTree.valueProblem(value, setting) {
      note(keyPath, problem)
      return
    }
    var trial = defaults
    trial[key] = value
    do {
      _ = try trial.decode(type)
    } catch {
      issues.append(Self.issue(error, in: trial, path: path, fallback: keyPath))
    }
  }

  static func issue(_ error: any Error, in tree: JSONValue, path: String, fallback: String? = nil)
    -> SettingsError.Issue
  {
    func place(_ keys: [any CodingKey]) -> String {
      if keys.isEmpty { return fallback ?? path }
      return keys.reduce(path) { path, key in
        key.intValue.map { "\(path)[\($0)]" } ?? SettingsTree.join(path, key.stringValue)
      }
    }
    func found(_ keys: [any CodingKey]) -> String { tree[path: keys.map(\.stringValue)]?.kindDescription ?? "nothing" }
    switch error {
    case DecodingError.typeMismatch(let type, let context), DecodingError.valueNotFound(let type, let context):
      let found = found(context.codingPath)
      let quote =
        type is String.Type && !found.hasPrefix("a ") && found != "null" ? " Write it in quotes to make it text." : ""
      return .init(path: place(context.codingPath), message: "expected \(expectation(type)), found \(found).\(quote)")
    case DecodingError.keyNotFound(let key, let context):
      return .init(path: place(context.codingPath + [key]), message: "is missing.")
    case DecodingError.dataCorrupted(let context):
      return .init(
        path: place(context.codingPath),
        message: "\(found(context.codingPath)) is not allowed. \(context.debugDescription)")
    case let error as SettingsError where error.issues.count == 1:
      return .init(path: SettingsTree.join(path, error.issues[0].path), message: error.issues[0].message)
    default:
      return .init(path: fallback ?? path, message: "\(error)")
    }
  }

  /// The type that a value was to have, in words.
  private static func expectation(_ type: any Any.Type) -> String {
    switch type {
    case is Bool.Type: "true or false"
    case is Double.Type, is Float.Type: "a number"
    case let type as any FixedWidthInteger.Type: wholeNumber(type)
    case is String.Type: "text"
    case is [JSONValue].Type: "a list"
    case is [String: JSONValue].Type: "a group of settings"
    default: "a value of type \(type)"
    }
  }

  private static func wholeNumber<T: FixedWidthInteger>(_ type: T.Type) -> String {
    if T.bitWidth < 64 { return "a whole number from \(T.min) to \(T.max)" }
    return T.isSigned ? "a whole number" : "a whole number from 0"
  }

  // MARK: Notes

  private mutating func note(_ path: String, _ message: String) { issues.append(.init(path: path, message: message)) }

  private mutating func noteUnknown(_ key: String, _ type: any Configurable.Type, _ defaults: JSONValue, path: String) {
    let prefix = path.isEmpty ? "" : path + "."
    // Of a file that is no configuration at all, a screenful is explained, and the rest is counted.
    guard issues.count < SettingsError.mostShown else { return note(prefix + key, "unknown setting.") }
    let names = (defaults.objectValue ?? [:]).keys
    let question = Nearest.question(key, among: names, prefix: prefix)
    note(
      prefix + key, "unknown setting. " + (question.isEmpty ? "" : question + " ") + Self.known(type, defaults))
  }

  /// Documented order first, then keys that nobody described.
  private static func known(_ type: any Configurable.Type, _ defaults: JSONValue) -> String {
    let documented = type.settings.map(\.key)
    let others = (defaults.objectValue ?? [:]).keys.sorted().filter { !documented.contains($0) }
    let names = documented + others
    return names.isEmpty ? "It has no settings." : "Known settings: \(names.joined(separator: ", "))."
  }
}
