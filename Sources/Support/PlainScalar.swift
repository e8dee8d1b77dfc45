import Files

/// How an unquoted word is read, in files and on the command line: by the core rules of YAML 1.2.
///
/// `null`, `~` and nothing are null; `true` and `false` are truth values (`yes`, `no`, `on`, `off` are text, unlike in
/// YAML 1.1); `12`, `0x1F`, `0o17` are integers; `1.5`, `1e-3`, `.5`, `.inf`, `.nan` are doubles, the exponent needing
/// neither point nor sign. The rest is text.
enum PlainScalar {
  static func value(of word: String) -> JSONValue {
    switch word {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .double(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .double(-.infinity)
    case ".nan", ".NaN", ".NAN": return .double(.nan)
    default: return number(word) ?? .string(word)
    }
  }

  /// Words that YAML 1.1 reads as truth values.
  private static let truthWords: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

  /// Whether a text must be quoted for readers of YAML 1.1 and 1.2 to take it as that text.
  static func needsQuotes(_ text: String) -> Bool {
    let isLetter = { (scalar: Unicode.Scalar) in ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
    guard let first = text.unicodeScalars.first, isLetter(first) || first == "/", text.last != " " else { return true }
    return truthWords.contains(text.lowercased())
      || !text.unicodeScalars.allSatisfy {
        isLetter($0) || ("0"..."9").contains($0) || "/_.-+ ".unicodeScalars.contains($0)
      }
  }

  private static func number(_ word: String) -> JSONValue? {
    if word.hasPrefix("0x") { return digits(word.dropFirst(2), radix: 16) }
    if word.hasPrefix("0o") { return digits(word.dropFirst(2), radix: 8) }
    guard isDecimal(word) else { return nil }
    if let whole = Int(word) { return .int(whole) }
    return Double(word).map(JSONValue.double)
  }

  private static func digits(_ digits: Substring, radix: Int) -> JSONValue? {
    guard digits.first?.isHexDigit == true else { return nil }  // Int would take a sign here.
    return Int(digits, radix: radix).map(JSONValue.int)
  }

  /// `[-+]? ( [0-9]+ ( . [0-9]* )? | . [0-9]+ ) ( [eE] [-+]? [0-9]+ )?`; Swift's own reading also takes hexadecimal and
  /// words.
  private static func isDecimal(_ word: String) -> Bool {
    var rest = word.utf8[...]
    func skipDigits() -> Int {
      let before = rest.count
      rest = rest.drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      return before - rest.count
    }
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    var digits = skipDigits()
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      digits += skipDigits()
    }
    guard digits > 0 else { return false }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
      guard skipDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }
}
