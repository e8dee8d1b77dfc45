import Files
import Support

/// Reads the parts of a grid's file and collects what is wrong with them.
struct GridSpecificationReader {
  var problems = GridProblems()

  // MARK: Parts

  mutating func base(_ value: JSONValue?) -> AxisValue {
    let settings = group(value ?? [:], at: "base", "a group of settings") ?? [:]
    return AxisValue(
      label: "", settings: Self.normalized(.object(settings)), place: "base",
      origins: [.init(setting: "", place: "base")])
  }

  mutating func axes(_ file: JSONValue) -> [(name: String, values: [AxisValue])] {
    var axes: [(name: String, values: [AxisValue])] = []
    for name in GridAxis.usual {
      guard let key = GridSpecification.plurals[name], let value = file[key] else { continue }
      let values = elements(of: value, at: key).compactMap { element, place in
        self.value(element, of: name, at: place)
      }
      if values.isEmpty { problems.note(key, "the axis has no values. Name some, or leave it out.") }
      axes.append((name, distinct(values)))
    }
    for (name, value) in (group(file["axes"] ?? [:], at: "axes", "a group of axes") ?? [:]).sorted(by: {
      $0.key < $1.key
    }) {
      let place = "axes.\(name)"
      if GridAxis.usual.contains(name) {
        problems.note(
          place, "every grid has this axis: its values are those of \(GridSpecification.plurals[name] ?? "").")
        continue
      }
      axes.append((name, distinct(free(value, at: place))))
    }
    return axes
  }

  /// Cells to leave out: for each entry, the labels of some axes.
  /// - Parameter implied: the label of the one value that an axis has which the file leaves out.
  mutating func exclude(
    _ value: JSONValue?, _ axes: [(name: String, values: [AxisValue])], implied: [String: String]
  ) -> [(place: String, labels: [String: Set<String>])] {
    guard let value else { return [] }
    var known = implied.mapValues { [$0] }
    for axis in axes { known[axis.name, default: []] += axis.values.map(\.label) }
    let rates = axes.flatMap { $0.values.flatMap { $0.rates ?? [] } }.map(\.label)
    if !rates.isEmpty { known[GridAxis.rate, default: []] += rates }
    return elements(of: value, at: "exclude").compactMap { element, place in
      guard let members = group(element, at: place, "a group such as {attack: blended, rate: 0.05}") else { return nil }
      var labels: [String: Set<String>] = [:]
      for (axis, value) in members.sorted(by: { $0.key < $1.key }) {
        guard isAxis(axis, of: Array(known.keys), at: "\(place).\(axis)") else { continue }
        for (element, place) in elements(of: value, at: "\(place).\(axis)") {
          guard let label = Self.text(element) else {
            problems.note(place, "expected the label of a value, found \(element.kindDescription).")
            continue
          }
          if !(known[axis] ?? []).contains(label) {
            problems.note(place, Self.unknown("value of the axis \(axis)", label, known[axis] ?? []))
          }
          labels[axis, default: []].insert(label)
        }
      }
      if labels.isEmpty { problems.note(place, "it names no axis, and would leave nothing of the grid.") }
      return (place, labels)
    }
  }

  /// Smaller grids to add: for each entry, the values of some axes.
  mutating func include(
    _ value: JSONValue?, _ axes: [(name: String, values: [AxisValue])]
  ) -> [[String: [AxisValue]]] {
    guard let value else { return [] }
    var named: [String: [AxisValue]] = [:]
    return elements(of: value, at: "include").compactMap { element, place in
      guard let members = group(element, at: place, "a group such as {attack: blended, rate: 0.05}") else { return nil }
      var values: [String: [AxisValue]] = [:]
      for (axis, value) in members.sorted(by: { $0.key < $1.key }) {
        guard isAxis(axis, of: axes.map(\.name), at: "\(place).\(axis)") else { continue }
        let declared = axes.first { $0.name == axis }?.values ?? []
        values[axis] = elements(of: value, at: "\(place).\(axis)").compactMap { element, place in
          if let label = Self.text(element), let same = declared.first(where: { $0.label == label }) { return same }
          guard let new = self.value(element, of: axis, at: place) else { return nil }
          // The same value may stand in several includes; another one needs another name.
          if declared.contains(where: { $0.label == new.label })
            || (named[axis] ?? []).contains(where: { $0.label == new.label && $0.settings != new.settings })
          {
            problems.note(place, Self.twice(new.label))
          }
          named[axis, default: []].append(new)
          return new
        }
      }
      return values
    }
  }

  // MARK: Values

  /// A value of one of the usual axes.
  private mutating func value(_ value: JSONValue, of axis: String, at place: String) -> AxisValue? {
    switch axis {
    case GridAxis.seed:
      guard let number = value.intValue, number >= 0 else {
        problems.note(place, "expected a seed, a whole number from 0, found \(value.kindDescription).")
        return nil
      }
      return single("seed", .int(number), label: String(number), at: place)
    case GridAxis.rate: return rate(value, at: place)
    case GridAxis.dataset, GridAxis.model, GridAxis.attack, GridAxis.defense:
      return named(value, section: axis, at: place)
    default:
      problems.note(place, "values of the axis \(axis) are given under axes alone; name one by its label.")
      return nil
    }
  }

  private mutating func rate(_ value: JSONValue, at place: String) -> AxisValue? {
    guard let number = value.doubleValue, (0...1).contains(number) else {
      problems.note(place, "expected a rate, a fraction from 0 to 1, found \(value.kindDescription).")
      return nil
    }
    return single("attack.rate", value, label: value.canonicalJSON, at: place)
  }

  private func single(_ setting: String, _ value: JSONValue, label: String, at place: String) -> AxisValue {
    let tree = setting.split(separator: ".").reversed().reduce(value) { [String($1): $0] }
    return AxisValue(label: label, settings: tree, place: place, origins: [.init(setting: setting, place: place)])
  }

  /// `badnets`, or `{name: badnets, label: ..., with: {...}, <settings of the section>}`.
  private mutating func named(_ value: JSONValue, section: String, at place: String) -> AxisValue? {
    if section == GridAxis.model, value.isNull || (value["name"] ?? value).stringValue == "none" {
      problems.note(
        place, "a grid has no cells without a model: purifiers have nothing to purify, and filters look into one.")
      return nil
    }
    if let name = value.stringValue ?? (value.isNull ? "none" : nil) {
      return AxisValue(
        label: name, settings: [section: ["name": .string(name)]], place: place,
        origins: [.init(setting: "\(section).name", place: place)])
    }
    guard var members = group(value, at: place, "a name, or a group such as {name: ...}") else { return nil }
    guard let name = members["name"]?.stringValue else {
      problems.note(
        place,
        members["name"] == nil
          ? "name is missing: which \(section) is it?" : "the name must be text, in quotes if need be.")
      return nil
    }
    let label = label(members.removeValue(forKey: "label"), at: "\(place).label") ?? name
    var origins: [AxisValue.Origin] = [.init(setting: section, place: place)]
    let with = with(members.removeValue(forKey: "with"), besides: section, at: "\(place).with", &origins)
    var rates: [AxisValue]?
    if section == GridAxis.attack, members["rate"] != nil || members["rates"] != nil {
      let key = members["rates"] != nil ? "rates" : "rate"
      if members["rate"] != nil, members["rates"] != nil {
        problems.note(place, "give either rate or rates, not both.")
      }
      let given = elements(of: members[key] ?? [], at: "\(place).\(key)")
      if given.isEmpty { problems.note("\(place).\(key)", "the attack has no rates. Name some, or leave it out.") }
      rates = given.compactMap { rate($0, at: $1) }
      members["rate"] = nil
      members["rates"] = nil
    }
    return AxisValue(
      label: label, settings: SettingsTree.merge(with, [section: .object(members)]), place: place, origins: origins,
      rates: rates.map { distinct($0) })
  }

  /// The values of an axis of the user's own: `{setting: defense.tau, values: [...]}`, or a list of
  /// `{label: ..., with: {...}}`.
  private mutating func free(_ value: JSONValue, at place: String) -> [AxisValue] {
    if let members = value.objectValue, let setting = members["setting"]?.stringValue {
      for key in members.keys.sorted() where !["setting", "values"].contains(key) {
        problems.note("\(place).\(key)", "unknown part of an axis. Known: setting, values.")
      }
      let values = elements(of: members["values"] ?? [], at: "\(place).values").map { element, place in
        var value = single(setting, element, label: Self.text(element) ?? element.canonicalJSON, at: place)
        if setting.hasPrefix("attack.") || setting.hasPrefix("defense.") { value.onlyWhere = setting }
        return value
      }
      if values.isEmpty { problems.note(place, "the axis has no values. Name some under values.") }
      return values
    }
    guard value.arrayValue != nil else {
      problems.note(
        place,
        "expected {setting: defense.tau, values: [...]}, or a list of {label: ..., with: {...}}, found "
          + "\(value.kindDescription).")
      return []
    }
    let given = elements(of: value, at: place)
    if given.isEmpty { problems.note(place, "the axis has no values. Name some, or leave it out.") }
    return given.compactMap { element, place in
      guard var members = group(element, at: place, "{label: ..., with: {...}}") else { return nil }
      guard let label = label(members.removeValue(forKey: "label"), at: "\(place).label") else {
        problems.note(place, "label is missing: what is the value called?")
        return nil
      }
      var origins: [AxisValue.Origin] = []
      let settings = with(members.removeValue(forKey: "with"), besides: nil, at: "\(place).with", &origins)
      for key in members.keys.sorted() {
        problems.note("\(place).\(key)", "unknown part of a value. Known: label, with.")
      }
      return AxisValue(label: label, settings: settings, place: place, origins: origins)
    }
  }

  private mutating func label(_ value: JSONValue?, at place: String) -> String? {
    guard let value else { return nil }
    guard let text = Self.text(value), !text.isEmpty else {
      problems.note(place, "a label is a short text.")
      return nil
    }
    return text
  }

  /// Settings of other sections that go with a value.
  private mutating func with(
    _ value: JSONValue?, besides section: String?, at place: String, _ origins: inout [AxisValue.Origin]
  ) -> JSONValue {
    guard let value, var members = group(value, at: place, "a group of settings") else { return [:] }
    if let section, members[section] != nil {
      problems.note("\(place).\(section)", "settings of the \(section) itself stand beside its name, not under with.")
      members[section] = nil
    }
    origins += members.keys.sorted().map { .init(setting: $0, place: "\(place).\($0)") }
    return Self.normalized(.object(members))
  }

  // MARK: Pieces

  /// A value in place of a list is a list of one.
  private func elements(of value: JSONValue, at place: String) -> [(value: JSONValue, place: String)] {
    guard let elements = value.arrayValue else { return [(value, place)] }
    return elements.enumerated().map { ($1, "\(place)[\($0)]") }
  }

  private mutating func group(_ value: JSONValue, at place: String, _ expected: String) -> [String: JSONValue]? {
    if let members = value.objectValue { return members }
    problems.note(place, "expected \(expected), found \(value.kindDescription).")
    return nil
  }

  private mutating func isAxis(_ name: String, of known: [String], at place: String) -> Bool {
    let all = GridAxis.usual + known.filter { !GridAxis.usual.contains($0) }.sorted()
    if all.contains(name) { return true }
    problems.note(place, Self.unknown("axis", name, all))
    return false
  }

  /// The values without those whose label was there before, which is a problem.
  private mutating func distinct(_ values: [AxisValue]) -> [AxisValue] {
    var kept: [AxisValue] = []
    for value in values {
      if kept.contains(where: { $0.label == value.label }) {
        problems.note(value.place, Self.twice(value.label))
      } else {
        kept.append(value)
      }
    }
    return kept
  }

  private static func twice(_ label: String) -> String {
    "another value of this axis is called \"\(label)\". Remove one, or give one a label of its own: {name: ..., label: "
      + "...}."
  }

  private static func unknown(_ what: String, _ name: String, _ known: [String]) -> String {
    SettingsError.unknownName(what: what, name: name, known: known).issues[0].message
  }

  private static func text(_ value: JSONValue) -> String? {
    if let text = value.stringValue { return text }
    return value.doubleValue != nil ? value.canonicalJSON : nil
  }

  /// A bare name ("attack: badnets") as a group, so that settings can go into it.
  private static func normalized(_ tree: JSONValue) -> JSONValue {
    var tree = tree
    for section in ["dataset", "model", "recipe", "attack", "defense"] {
      if let name = tree[section]?.stringValue { tree[section] = ["name": .string(name)] }
    }
    return tree
  }
}
