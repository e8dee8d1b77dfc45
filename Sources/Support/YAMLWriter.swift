extension JSONValue {
  /// Block-style YAML with sorted keys, ending in a newline. Readers of YAML 1.1 (PyYAML) and 1.2 agree on every value in it:
  /// doubtful words are quoted, exponents carry point and sign.
  public var yaml: String {
    var writer = YAMLWriter()
    writer.writeRoot(self)
    return writer.text
  }
}

private struct YAMLWriter {
  var text = ""

  mutating func writeRoot(_ value: JSONValue) {
    if Self.isBlock(value) { writeBlock(value, indent: 0) } else { text += Self.inline(value) + "\n" }
  }

  /// Whether the value takes lines of its own: groups, and lists of groups or lists.
  private static func isBlock(_ value: JSONValue) -> Bool {
    switch value {
    case .object(let members): !members.isEmpty
    case .array(let elements): elements.contains { isBlock($0) || $0.arrayValue?.isEmpty == false }
    default: false
    }
  }

  private mutating func writeBlock(_ value: JSONValue, indent: Int) {
    let margin = String(repeating: " ", count: indent)
    if case .object(let members) = value {
      for key in JSONWriter.sortedKeys(members) {
        let member = members[key] ?? .null
        text += margin + Self.word(key) + ":"
        writeAfterMark(member, indent: indent + 2)
      }
    } else if case .array(let elements) = value {
      for element in elements {
        text += margin + "-"
        writeAfterMark(element, indent: indent + 2)
      }
    }
  }

  private mutating func writeAfterMark(_ value: JSONValue, indent: Int) {
    if Self.isBlock(value) {
      text += "\n"
      writeBlock(value, indent: indent)
    } else {
      text += " " + Self.inline(value) + "\n"
    }
  }

  private static func inline(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): String(value)
    case .double(let value): number(value)
    case .string(let value): word(value)
    case .array(let elements): "[" + elements.map(inline).joined(separator: ", ") + "]"
    case .object: "{}"
    }
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return ".nan" }
    if value.isInfinite { return value > 0 ? ".inf" : "-.inf" }
    let parts = value.description.split(separator: "e")
    guard parts.count == 2 else { return value.description }
    return parts[0] + (parts[0].contains(".") ? "" : ".0") + "e" + parts[1]
  }

  /// Words that YAML 1.1 reads as truth values.
  private static let truthWords: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

  private static func word(_ string: String) -> String {
    let first = string.unicodeScalars.first
    let isSafe =
      first.map { ("a"..."z").contains($0) || ("A"..."Z").contains($0) || $0 == "/" } ?? false
      && string.unicodeScalars.allSatisfy {
        ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || "/_.-+ ".unicodeScalars.contains($0)
      } && string.last != " " && !truthWords.contains(string.lowercased())
    return isSafe ? string : JSONWriter.quoted(string)
  }
}
