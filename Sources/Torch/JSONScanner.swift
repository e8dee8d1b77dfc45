/// A strict reader of the JSON that tensor files have in their headers: objects, strings and whole numbers. Unlike a general decoder it
/// sees keys that occur twice, and it never goes deeper than its caller asks.
struct JSONScanner {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  func error(_ reason: String) -> FileError {
    FileError("\(reason), at byte \(position) of the header. The header is damaged: fetch or write the file again")
  }

  /// `{"key": value, ...}`; `value` reads each value and must consume it.
  mutating func object(_ value: (String, inout JSONScanner) throws(FileError) -> Void) throws(FileError) {
    try expect("{")
    var seen: Set<String> = []
    skipSpaces()
    if take("}") { return }
    while true {
      let key = try string()
      guard seen.insert(key).inserted else { throw error("the key '\(key)' occurs twice") }
      try expect(":")
      try value(key, &self)
      skipSpaces()
      if take("}") { return }
      try expect(",")
    }
  }

  /// `[1, 2, ...]` of numbers from 0 up.
  mutating func integers() throws(FileError) -> [Int] {
    try expect("[")
    var out: [Int] = []
    skipSpaces()
    if take("]") { return out }
    while true {
      out.append(try integer())
      skipSpaces()
      if take("]") { return out }
      try expect(",")
    }
  }

  mutating func integer() throws(FileError) -> Int {
    skipSpaces()
    if peek() == UInt8(ascii: "-") { throw error("a negative number, where sizes and offsets are 0 or more") }
    let start = position
    var value = 0
    while let digit = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, carry) = tens.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
      if overflow || carry { throw error("a number beyond 64 bits") }
      value = next
      position += 1
    }
    guard position > start else { throw error("expected a whole number") }
    if bytes[start] == UInt8(ascii: "0"), position - start > 1 { throw error("a number with leading zeros") }
    if let next = peek(), ".eE".utf8.contains(next) { throw error("a number that is not whole") }
    return value
  }

  mutating func string() throws(FileError) -> String {
    try expect("\"")
    var out: [UInt8] = []
    while let byte = peek() {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: out, as: UTF8.self) else { throw error("a string that is not UTF-8") }
        return text
      case UInt8(ascii: "\\"): out += try escape()
      case ..<0x20: throw error("a control character in a string")
      default: out.append(byte)
      }
    }
    throw error("a string without its end")
  }

  private mutating func escape() throws(FileError) -> [UInt8] {
    guard let byte = peek() else { throw error("a string without its end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), take("\\"), take("u") {
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair in a string") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair in a string") }
      return Array(String(Character(scalar)).utf8)
    default: throw error("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws(FileError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("a string without its end") }
    var code: UInt32 = 0
    for digit in bytes[position..<position + 4] {
      guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { throw error("\\u needs four hexadecimal digits") }
      code = code << 4 | UInt32(value)
    }
    position += 4
    return code
  }

  /// Nothing but spaces may follow.
  mutating func finish() throws(FileError) {
    skipSpaces()
    guard position == bytes.count else { throw error("text after the end of the object") }
  }

  private mutating func skipSpaces() {
    while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }
  private mutating func expect(_ character: Unicode.Scalar) throws(FileError) {
    skipSpaces()
    guard take(character) else { throw error("expected '\(character)'") }
  }
}
