extension JSONValue {
  /// The form that hashes are taken of: one line, keys sorted by their UTF-8 bytes, no spaces, shortest numbers.
  ///
  /// A number has one spelling whatever its case: `.double(1)` and `.int(1)` are both `1`, and `-0.0` is `0`. Equal
  /// trees therefore have equal text. NaN and the infinities, which JSON lacks, are the strings `"NaN"`, `"Infinity"`,
  /// `"-Infinity"`.
  public var canonicalJSON: String {
    var writer = JSONWriter(form: .canonical)
    writer.write(self, indent: 0)
    return writer.text
  }

  /// One line of JSON with sorted keys, for a line of a `.jsonl` file. Doubles keep their point: `1.0`.
  public var compactJSON: String {
    var writer = JSONWriter(form: .compact)
    writer.write(self, indent: 0)
    return writer.text
  }

  /// JSON to be read by people: two spaces of indentation, sorted keys, short lists on one line. No newline at the end.
  public var prettyJSON: String {
    var writer = JSONWriter(form: .pretty)
    writer.write(self, indent: 0)
    return writer.text
  }
}

/// Serialises a tree; the forms differ in spaces and in how whole doubles are spelt.
struct JSONWriter {
  enum Form { case canonical, compact, pretty }

  let form: Form
  private(set) var text = ""

  init(form: Form) { self.form = form }

  mutating func write(_ value: JSONValue, indent: Int) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .int(let value): text += String(value)
    case .double(let value): text += Self.number(value, canonical: form == .canonical)
    case .string(let value): text += Self.quoted(value)
    case .array(let elements): write(elements, indent: indent)
    case .object(let members): write(members, indent: indent)
    }
  }

  private mutating func write(_ elements: [JSONValue], indent: Int) {
    if form == .pretty, !elements.isEmpty, !fitsOnOneLine(elements, indent: indent) {
      text += "[\n"
      for (index, element) in elements.enumerated() {
        text += String(repeating: " ", count: indent + 2)
        write(element, indent: indent + 2)
        text += index + 1 < elements.count ? ",\n" : "\n"
      }
      text += String(repeating: " ", count: indent) + "]"
      return
    }
    text += "["
    for (index, element) in elements.enumerated() {
      if index > 0 { text += form == .pretty ? ", " : "," }
      write(element, indent: indent)
    }
    text += "]"
  }

  private mutating func write(_ members: [String: JSONValue], indent: Int) {
    let keys = Self.sortedKeys(members)
    if keys.isEmpty {
      text += "{}"
    } else if form == .pretty {
      text += "{\n"
      for (index, key) in keys.enumerated() {
        text += String(repeating: " ", count: indent + 2) + Self.quoted(key) + ": "
        write(members[key] ?? .null, indent: indent + 2)
        text += index + 1 < keys.count ? ",\n" : "\n"
      }
      text += String(repeating: " ", count: indent) + "}"
    } else {
      text += "{"
      for (index, key) in keys.enumerated() {
        if index > 0 { text += "," }
        text += Self.quoted(key) + ":"
        write(members[key] ?? .null, indent: 0)
      }
      text += "}"
    }
  }

  /// Lists of scalars stay on one line up to 120 columns.
  private func fitsOnOneLine(_ elements: [JSONValue], indent: Int) -> Bool {
    guard elements.count <= 60 else { return false }
    var width = indent + 2
    for element in elements {
      switch element {
      case .array(let inner) where !inner.isEmpty: return false
      case .object(let inner) where !inner.isEmpty: return false
      default: width += element.compactJSON.count + 2
      }
      if width > 120 { return false }
    }
    return true
  }

  // MARK: Scalars

  /// Keys in the order of their UTF-8 bytes: the same on every machine and locale.
  static func sortedKeys(_ members: [String: JSONValue]) -> [String] {
    members.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The shortest text that reads back as the same double. Swift's own description is that, except for whole numbers.
  static func number(_ value: Double, canonical: Bool) -> String {
    if value.isNaN { return "\"NaN\"" }
    if value.isInfinite { return value > 0 ? "\"Infinity\"" : "\"-Infinity\"" }
    if canonical, let whole = Int(exactly: value) { return String(whole) }
    return value.description
  }

  static func quoted(_ string: String) -> String {
    var result = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.value == 0x2028 || scalar.value == 0x2029:
        let hex = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
