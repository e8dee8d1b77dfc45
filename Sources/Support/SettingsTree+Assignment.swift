public import Files

extension SettingsTree {
  /// Reads a command line override such as `attack.rate=0.05`.
  ///
  /// The value is read as a word of a YAML file would be: `1e-3`, `true`, `null`, `text`; values that start with `[`,
  /// `{`, `"` or `'` are read as YAML (`[1, 2]`, `{a: 1}`, `"1"` for text), and `[1, 2],[3, 4]` is a list of lists. Later `=` signs belong to the value.
  /// - Throws: `SettingsError` for a missing `=`, an empty name or value, or a value that is not closed.
  public static func parseAssignment(_ text: String) throws(SettingsError) -> (path: [String], value: JSONValue) {
    guard let equals = text.firstIndex(of: "=") else {
      throw SettingsError(
        "", "\(JSONValue.string(text).compactJSON) has no \"=\". Write name=value, for example attack.rate=0.05.")
    }
    let name = trimmed(text[..<equals])
    let word = trimmed(text[text.index(after: equals)...])
    let path = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard !path.contains(where: \.isEmpty) else {
      throw SettingsError(
        "", "\(JSONValue.string(text).compactJSON) has an empty name. Write name=value, for example attack.rate=0.05.")
    }
    guard let first = word.first else {
      throw SettingsError(
        name, "there is no value after \"=\". Write \(name)=null for none, or \(name)='\"\"' for empty text.")
    }
    guard "[{\"'".contains(first) else { return (path, PlainScalar.value(of: word)) }
    do {
      return (path, try JSONValue(yaml: word))
    } catch {
      // Lists one after the other are a list of lists: `[1, 2],[3, 4]`.
      if first == "[", word.hasSuffix("]"), let lists = try? JSONValue(yaml: "[\(word)]"),
        lists.arrayValue?.allSatisfy({ $0.arrayValue != nil }) == true
      {
        return (path, lists)
      }
      throw SettingsError(
        name, "the value \(escaped(word, limit: 200)) cannot be read: \(error.message). Put text in quotes.")
    }
  }

  /// Puts command line overrides over a tree, in their order. Groups that are missing are made; a number in a path is a
  /// position in a list.
  /// - Throws: `SettingsError` where an assignment cannot be read, or leads through a value that is not a group.
  public static func apply(_ assignments: [String], to tree: JSONValue) throws(SettingsError) -> JSONValue {
    var result = tree
    for assignment in assignments {
      let (path, value) = try parseAssignment(assignment)
      result = try setting(value, at: path[...], in: result, walked: [])
    }
    return result
  }

  private static func setting(
    _ value: JSONValue, at path: ArraySlice<String>, in tree: JSONValue, walked: [String]
  ) throws(SettingsError) -> JSONValue {
    guard let key = path.first else { return value }
    let here = walked + [key]
    switch tree {
    case .object(var members):
      members[key] = try setting(value, at: path.dropFirst(), in: members[key] ?? .null, walked: here)
      return .object(members)
    case .null:
      return .object([key: try setting(value, at: path.dropFirst(), in: .null, walked: here)])
    case .array(var elements):
      guard let index = Int(key), elements.indices.contains(index) else {
        throw SettingsError(
          here.joined(separator: "."),
          "\(walked.joined(separator: ".")) is a list of \(elements.count); name a position from 0.")
      }
      elements[index] = try setting(value, at: path.dropFirst(), in: elements[index], walked: here)
      return .array(elements)
    default:
      throw SettingsError(
        here.joined(separator: "."),
        "\(walked.isEmpty ? "the configuration" : walked.joined(separator: ".")) is \(tree.kindDescription), not a "
          + "group of settings."
      )
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let start = text.drop { $0.isWhitespace }
    guard let end = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return String(start[...end])
  }
}
