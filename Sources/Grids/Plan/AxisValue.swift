import Files

/// One value of an axis: what it is called, which settings it stands for, and where the file says so.
struct AxisValue: Sendable, Hashable {
  var label: String
  /// Settings over the base, as a tree of a configuration.
  var settings: JSONValue
  /// The value's place in the file: `attacks[1]`.
  var place: String
  /// Where in the file settings stand: those at or below a path of the configuration, at or below a place.
  var origins: [Origin]
  /// The rates that stand at an attack itself, in place of those of the grid.
  var rates: [AxisValue]?
  /// Only for cells whose attack or defense has this setting: `defense.tau`.
  var onlyWhere: String?

  struct Origin: Sendable, Hashable {
    var setting: String
    var place: String
  }

  /// The place in the file of a setting of the configuration; nil where this value does not set it.
  func place(of setting: String) -> String? {
    guard sets(setting) else { return nil }
    for origin in origins {
      if origin.setting.isEmpty { return "\(origin.place).\(setting)" }
      guard setting.hasPrefix(origin.setting) else { continue }
      let rest = setting.dropFirst(origin.setting.count)
      if rest.isEmpty || rest.hasPrefix(".") || rest.hasPrefix("[") { return origin.place + rest }
    }
    return nil
  }

  /// Whether the settings hold a value at a path, or one that the path leads into.
  private func sets(_ setting: String) -> Bool {
    var tree = settings
    for key in setting.split(separator: ".") {
      let name = String(key.prefix { $0 != "[" })
      guard let members = tree.objectValue else { return true }
      guard let value = members[name] else { return false }
      if key.contains("[") { return true }
      tree = value
    }
    return true
  }
}
