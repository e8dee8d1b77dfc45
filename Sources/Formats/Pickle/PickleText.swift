/// Numbers and strings as the text protocol (0) writes them, and long integers.
enum PickleText {
  /// `I` lines: an integer, or `00` and `01`, which mean False and True.
  static func int(_ line: ArraySlice<UInt8>) throws -> PickleValue {
    if line.elementsEqual("00".utf8) { return .bool(false) }
    if line.elementsEqual("01".utf8) { return .bool(true) }
    return try long(line)
  }

  /// `L` lines: an integer of any size, Python 2 with an `L` behind it.
  static func long(_ line: ArraySlice<UInt8>) throws -> PickleValue {
    let digits = line.last == UInt8(ascii: "L") ? line.dropLast() : line
    if let value = Int64(String(decoding: digits, as: UTF8.self)) { return .int(value) }
    let negative = digits.first == UInt8(ascii: "-")
    let magnitude = negative ? digits.dropFirst() : digits
    guard !magnitude.isEmpty, magnitude.count <= 1_000, magnitude.allSatisfy({ (48...57).contains($0) }) else {
      throw PickleProblem("'\(String(decoding: line.prefix(40), as: UTF8.self))' where an integer belongs")
    }
    var bytes: [UInt8] = []
    for digit in magnitude {
      var carry = Int(digit - 48)
      for index in bytes.indices {
        carry += 10 * Int(bytes[index])
        bytes[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
      if carry > 0 { bytes.append(UInt8(carry)) }
    }
    bytes.append(0)
    if negative {
      var carry = 1
      for index in bytes.indices {
        carry += Int(~bytes[index])
        bytes[index] = UInt8(truncatingIfNeeded: carry)
        carry >>= 8
      }
    }
    return integer(littleEndian: bytes[...])
  }

  /// Two's complement of any length, empty for 0.
  static func integer(littleEndian bytes: ArraySlice<UInt8>) -> PickleValue {
    let sign: UInt8 = (bytes.last ?? 0) & 0x80 == 0 ? 0 : 0xff
    var digits = bytes
    while let last = digits.last, last == sign, digits.dropLast().last.map({ ($0 ^ sign) & 0x80 == 0 }) ?? (sign == 0) {
      digits = digits.dropLast()
    }
    guard digits.count <= 8 else { return .bigInt(Array(digits)) }
    var word: UInt64 = sign == 0 ? 0 : .max
    for byte in digits.reversed() { word = word << 8 | UInt64(byte) }
    return .int(Int64(bitPattern: word))
  }

  static func float(_ line: ArraySlice<UInt8>) throws -> Double {
    guard line.count <= 400, let value = Double(String(decoding: line, as: UTF8.self)) else {
      throw PickleProblem("'\(String(decoding: line.prefix(40), as: UTF8.self))' where a number belongs")
    }
    return value
  }

  /// `S` lines: a Python 2 string literal in quotes.
  static func quoted(_ line: ArraySlice<UInt8>) throws -> [UInt8] {
    let quote = line.first
    guard line.count >= 2, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\""), line.last == quote else {
      throw PickleProblem("a string without quotes")
    }
    let source = Array(line.dropFirst().dropLast())
    var result: [UInt8] = []
    var at = 0
    while at < source.count {
      guard source[at] == UInt8(ascii: "\\") else {
        result.append(source[at])
        at += 1
        continue
      }
      guard at + 1 < source.count else { throw PickleProblem("a string that ends in an escape") }
      let code = source[at + 1]
      at += 2
      switch Character(UnicodeScalar(code)) {
      case "n": result.append(10)
      case "r": result.append(13)
      case "t": result.append(9)
      case "a": result.append(7)
      case "b": result.append(8)
      case "f": result.append(12)
      case "v": result.append(11)
      case "\\", "'", "\"": result.append(code)
      case "x":
        result.append(UInt8(try hexadecimal(source[at...].prefix(2), digits: 2)))
        at += 2
      case "0"..."7":
        let digits = source[(at - 1)...].prefix(3).prefix { (48...55).contains($0) }
        result.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 * 8 + Int($1 - 48) }))
        at += digits.count - 1
      default: result += [UInt8(ascii: "\\"), code]
      }
    }
    return result
  }

  /// `V` lines: latin1, with `\u` and four or `\U` and eight hexadecimal digits for other characters.
  static func rawUnicode(_ line: ArraySlice<UInt8>) throws -> String {
    let source = Array(line)
    var text = String.UnicodeScalarView()
    var at = 0
    while at < source.count {
      let next = at + 1 < source.count ? source[at + 1] : 0
      guard source[at] == UInt8(ascii: "\\"), next == UInt8(ascii: "u") || next == UInt8(ascii: "U") else {
        text.append(UnicodeScalar(source[at]))
        at += 1
        continue
      }
      let digits = next == UInt8(ascii: "u") ? 4 : 8
      guard let scalar = UnicodeScalar(try hexadecimal(source[(at + 2)...].prefix(digits), digits: digits)) else {
        throw PickleProblem("text with an invalid character")
      }
      text.append(scalar)
      at += 2 + digits
    }
    return String(text)
  }

  private static func hexadecimal(_ source: ArraySlice<UInt8>, digits: Int) throws -> UInt32 {
    guard source.count == digits, source.allSatisfy({ $0 != 43 && $0 != 45 }),
      let value = UInt32(String(decoding: source, as: UTF8.self), radix: 16)
    else { throw PickleProblem("an escape that is not \(digits) hexadecimal digits") }
    return value
  }
}
