import Files

extension SettingsTree {
  /// What is inconsistent between a configuration's stored properties, their defaults and their descriptions; empty
  /// where all is well. For tests: every configuration of the package passes through it.
  public static func checkSettings(_ type: any Configurable.Type) -> [String] {
    checkSettings(type, path: "\(type)", above: [])
  }

  private static func checkSettings(_ type: any Configurable.Type, path: String, above: [ObjectIdentifier]) -> [String]
  {
    guard !above.contains(ObjectIdentifier(type)) else { return ["\(path): the group contains itself."] }
    var problems: [String] = []
    let defaults: JSONValue
    do {
      defaults = try JSONValue(encoding: type.init())
    } catch {
      return ["\(path): the defaults cannot be encoded: \(error)"]
    }
    guard let members = defaults.objectValue else {
      return ["\(path): it encodes as \(defaults.kindDescription), not as a group."]
    }

    let keys = type.settings.map(\.key)
    for key in Set(keys).sorted() where keys.count(where: { $0 == key }) > 1 {
      problems.append("\(path).\(key): described twice.")
    }
    for key in members.keys.sorted() where !keys.contains(key) {
      let question = Nearest.question(key, among: keys.filter { members[$0] == nil })
      problems.append("\(path).\(key): a stored property without a description. \(question)")
    }
    for setting in type.settings {
      let place = "\(path).\(setting.key)"
      guard let value = members[setting.key] else {
        problems.append("\(place): described, but there is no such stored property.")
        continue
      }
      problems += check(setting, default: value, type, defaults).map { "\(place): \($0)" }
      if let nested = setting.nested {
        problems += checkSettings(nested, path: place, above: above + [ObjectIdentifier(type)])
      }
    }
    do {
      let again = try JSONValue(encoding: defaults.decode(type))
      if again != defaults { problems.append("\(path): encoding, decoding and encoding again changes it.") }
    } catch {
      problems.append("\(path): its own defaults cannot be decoded: \(error)")
    }
    return problems
  }

  private static func check(
    _ setting: Setting, default value: JSONValue, _ type: any Configurable.Type, _ defaults: JSONValue
  ) -> [String] {
    var problems: [String] = []
    if setting.summary.isEmpty { problems.append("the summary is empty.") }
    if let problem = valueProblem(value, setting) { problems.append("the default is not allowed: \(problem)") }
    let kind = kind(of: setting, type, defaults: completed(defaults, type))
    if setting.range != nil, kind == "text" || kind == "true/false" {
      problems.append("a range on a setting that is \(kind).")
    }
    if setting.choices != nil, kind != "text", kind != "list" {
      problems.append("choices on a setting that is a \(kind).")
    }
    for choice in setting.choices ?? [] where kind == "text" {
      var trial = completed(defaults, type)
      trial[setting.key] = .string(choice)
      if (try? trial.decode(type)) == nil { problems.append("the choice \"\(choice)\" cannot be decoded.") }
    }
    if setting.nested != nil, value.objectValue == nil, value.arrayValue == nil, !value.isNull {
      problems.append("described as a group, but its default is \(value.kindDescription).")
    }
    return problems
  }
}
