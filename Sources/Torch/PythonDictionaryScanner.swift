/// A reader of the Python dictionary in an `.npy` header, such as `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
/// It knows strings without escapes, True, False and tuples of whole numbers; nothing is evaluated.
struct PythonDictionaryScanner {
  enum Value: Equatable {
    case string(String)
    case bool(Bool)
    case tuple([Int])
    /// A list: the description of a structured dtype, left unread.
    case list
  }
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func dictionary() throws(FileError) -> [String: Value] {
    var out: [String: Value] = [:]
    try expect("{")
    while !take("}") {
      let key = try string()
      guard out[key] == nil else { throw error("the field '\(key)' occurs twice") }
      try expect(":")
      let value = try value()
      out[key] = value
      if value == .list { return out }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipSpaces()
    guard position == bytes.count else { throw error("text after the dictionary") }
    return out
  }

  private mutating func value() throws(FileError) -> Value {
    skipSpaces()
    switch peek() {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "("): return .tuple(try tuple())
    case UInt8(ascii: "["): return .list
    default:
      if take("True") { return .bool(true) }
      if take("False") { return .bool(false) }
      throw error("expected a string, True, False or a tuple of whole numbers")
    }
  }

  private mutating func string() throws(FileError) -> String {
    skipSpaces()
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { throw error("expected a string") }
    position += 1
    guard let end = bytes[position...].firstIndex(of: quote) else { throw error("a string without its end") }
    let text = bytes[position..<end]
    guard text.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\\") }) else { throw error("an unexpected character") }
    position = end + 1
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func tuple() throws(FileError) -> [Int] {
    try expect("(")
    var out: [Int] = []
    while !take(")") {
      let start = position
      while let digit = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) { position += 1 }
      guard let value = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
        throw error("expected a whole number from 0 up that fits 64 bits")
      }
      out.append(value)
      if take(",") {
        skipSpaces()
      } else {
        guard out.count > 1 else { throw error("a tuple of one number needs a comma") }
        try expect(")")
        break
      }
    }
    return out
  }

  private func error(_ reason: String) -> FileError {
    FileError("\(reason), at byte \(position) of the header. The header is damaged: fetch or write the file again")
  }
  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }
  private mutating func skipSpaces() {
    while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }
  private mutating func take(_ text: String) -> Bool {
    skipSpaces()
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }
  private mutating func expect(_ text: String) throws(FileError) {
    guard take(text) else { throw error("expected '\(text)'") }
  }
}
