extension JSONValue {
  /// Reads one JSON document.
  ///
  /// Numbers with a point or an exponent become `.double`, others `.int` (`.double` where they exceed 64 bits). `NaN`,
  /// `Infinity` and `-Infinity` are read too, because Python's `json` writes them. A key that occurs twice is an error.
  /// A byte order mark before the document is passed over.
  /// - Parameter source: The name of the text in errors, usually its file.
  /// - Throws: `ParseError` with line and column.
  public init(json text: String, source: String? = nil, limits: FormatLimits = .standard) throws(ParseError) {
    var parser = JSONParser(bytes: Array(text.utf8), source: source, limits: limits)
    self = try parser.document()
  }

  /// Reads one JSON document from UTF-8 bytes.
  /// - Throws: `ParseError` with line and column.
  public init(
    json bytes: some Collection<UInt8>, source: String? = nil, limits: FormatLimits = .standard
  ) throws(ParseError) {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ParseError("The text is not UTF-8.", source: source)
    }
    try self.init(json: text, source: source, limits: limits)
  }
}

/// A recursive-descent parser over UTF-8 bytes. Foundation's decoder reads `1.0` as an integer, names no line and
/// passes over a key that occurs twice.
struct JSONParser {
  let bytes: [UInt8]
  let source: String?
  let limits: FormatLimits
  private var position = 0
  private var count = 0

  init(bytes: [UInt8], source: String?, limits: FormatLimits) {
    self.bytes = bytes
    self.source = source
    self.limits = limits
  }

  mutating func document() throws(ParseError) -> JSONValue {
    guard bytes.count <= limits.bytes else {
      throw error(
        "The document has \(formatBytes(bytes.count)), more than the \(formatBytes(limits.bytes)) that are read.")
    }
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    let value = try self.value(depth: 0)
    skipSpaces()
    guard position == bytes.count else { throw error("There is text after the end of the document.") }
    return value
  }

  private mutating func value(depth: Int) throws(ParseError) -> JSONValue {
    guard depth <= limits.depth else { throw error("The document is nested deeper than \(limits.depth) levels.") }
    count += 1
    guard count <= limits.values else {
      throw error("The document holds more than \(formatCount(limits.values)) values.")
    }
    skipSpaces()
    guard let byte = peek else { throw error("The text ends where a value is expected.") }
    switch byte {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: break
    }
    for (word, value) in Self.words where take(word) { return value }
    throw error("A value cannot start with \"\(Character(Unicode.Scalar(byte)))\".")
  }

  private static let words: [(String, JSONValue)] = [
    ("null", .null), ("true", .bool(true)), ("false", .bool(false)), ("NaN", .double(.nan)),
    ("Infinity", .double(.infinity)),
  ]

  private mutating func object(depth: Int) throws(ParseError) -> JSONValue {
    position += 1
    var members: [String: JSONValue] = [:]
    skipSpaces()
    if take("}") { return .object(members) }
    while true {
      skipSpaces()
      guard peek == UInt8(ascii: "\"") else { throw error("A key in double quotes is expected here.") }
      let key = try string()
      guard members[key] == nil else {
        throw error("The key \"\(escaped(key, limit: 100))\" appears twice in the same object.")
      }
      skipSpaces()
      guard take(":") else { throw error("A colon is expected after the key \"\(escaped(key, limit: 100))\".") }
      members[key] = try value(depth: depth + 1)
      skipSpaces()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("A comma or a closing brace is expected here.") }
    }
  }

  private mutating func array(depth: Int) throws(ParseError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpaces()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpaces()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("A comma or a closing bracket is expected here.") }
    }
  }

  private mutating func number() throws(ParseError) -> JSONValue {
    let start = position
    _ = take("-")
    if take("Infinity") { return .double(-.infinity) }
    var isWhole = true
    let firstDigit = position
    skipDigits()
    guard position > firstDigit, bytes[firstDigit] != UInt8(ascii: "0") || position == firstDigit + 1 else {
      throw error("This is not a JSON number.", at: start)
    }
    if take(".") {
      isWhole = false
      try requireDigits(start)
    }
    if take("e") || take("E") {
      isWhole = false
      _ = take("+") || take("-")
      try requireDigits(start)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int(text) { return .int(value) }
    guard let value = Double(text), value.isFinite else {
      throw error("\(text) is not a number, or too large for one.", at: start)
    }
    return .double(value)
  }

  private mutating func skipDigits() {
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
  }

  private mutating func requireDigits(_ start: Int) throws(ParseError) {
    let before = position
    skipDigits()
    guard position > before else { throw error("This is not a JSON number.", at: start) }
  }

  // MARK: Strings

  private mutating func string() throws(ParseError) -> String {
    position += 1
    var content: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: content, as: UTF8.self)
      case UInt8(ascii: "\\"):
        position += 1
        content += Array(String(Character(try escape())).utf8)
      case 0..<0x20: throw error("A string holds a raw control character; write it as an escape such as \\n.")
      default:
        content.append(byte)
        position += 1
      }
    }
    throw error("A string is not closed.")
  }

  private mutating func escape() throws(ParseError) -> Unicode.Scalar {
    guard let byte = peek else { throw error("A string is not closed.") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw error("\\\(Character(Unicode.Scalar(byte))) is not an escape that JSON knows.")
    }
    let unit = try hexUnit()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    // Outside the basic plane a character is written as two units, high then low.
    if (0xD800..<0xDC00).contains(unit), take("\\u") {
      let low = try hexUnit()
      if (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
      {
        return scalar
      }
    }
    throw error("Half of a surrogate pair stands alone.")
  }

  private mutating func hexUnit() throws(ParseError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("\\u needs four hexadecimal digits.") }
    let digits = bytes[position..<position + 4]
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let unit = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("\\u needs four hexadecimal digits.") }
    position += 4
    return unit
  }

  // MARK: Position

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ word: String) -> Bool {
    guard bytes[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func skipSpaces() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private func error(_ message: String, at place: Int? = nil) -> ParseError {
    let before = bytes[..<(place ?? position)]
    let line = before.count { $0 == 0x0A } + 1
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let column = String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count + 1
    return ParseError(message, source: source, line: line, column: column)
  }
}
