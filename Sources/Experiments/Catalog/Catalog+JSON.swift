public import Files
import Support

extension Catalog.Entry {
  /// The entry for other programs.
  public var json: JSONValue {
    var tree: JSONValue = ["kind": .string(kind.rawValue), "name": .string(name), "summary": .string(summary)]
    if let paper { tree["paper"] = .string(paper) }
    if !facts.isEmpty {
      tree["facts"] = .object(Dictionary(facts.map { ($0.name, .string($0.value)) }, uniquingKeysWith: { $1 }))
    }
    tree["settings"] = .array(settings.map { $0.json(prefix: prefix) })
    if !presets.isEmpty {
      tree["presets"] = .array(
        presets.map { ["name": .string($0.name), "source": .string($0.source), "settings": $0.settings] })
    }
    return tree
  }
}

extension SettingDescription {
  fileprivate func json(prefix: String) -> JSONValue {
    var tree: JSONValue = [
      "key": .string(prefix + key), "kind": .string(kind), "default": .string(defaultText), "summary": .string(summary),
    ]
    if let unit { tree["unit"] = .string(unit) }
    if let range { tree["range"] = .string(range) }
    if let choices { tree["choices"] = .array(choices.map { .string($0) }) }
    if let source { tree["source"] = .string(source) }
    return tree
  }
}
