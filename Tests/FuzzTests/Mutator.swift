import Support

/// Changes to bytes that break readers: of single bits, of blocks, and of numbers in text and in binary fields.
struct Mutator {
  private(set) var random: Xoshiro256StarStar
  /// Words that stand somewhere in the format.
  var words: [[UInt8]] = []
  /// Results are cut to so many bytes.
  static let longest = 1 << 16

  init(seed: UInt64) { random = Xoshiro256StarStar(seed: seed) }

  /// A number below `count`.
  mutating func below(_ count: Int) -> Int { count <= 1 ? 0 : Int.random(in: 0..<count, using: &random) }

  /// One to eight changes; a small number is the most frequent.
  /// - Parameter other: another input, for splices.
  mutating func mutated(_ input: [UInt8], with other: [UInt8]) -> [UInt8] {
    var bytes = input
    var count = 1
    while count < 8, below(2) == 0 { count += 1 }
    for _ in 0..<count { change(&bytes, with: other) }
    return bytes.count > Self.longest ? Array(bytes.prefix(Self.longest)) : bytes
  }

  private mutating func change(_ bytes: inout [UInt8], with other: [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = other
      return
    }
    // Headers stand at the start.
    let at = below(below(2) == 0 ? min(bytes.count, 1024) : bytes.count)
    switch below(14) {
    case 0: bytes[at] ^= 1 << UInt8(below(8))
    case 1: bytes[at] = UInt8(below(256))
    case 2: bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x0a, 0x22][below(8)]
    case 3: bytes.removeLast(bytes.count - at)
    case 4: bytes.insert(contentsOf: (0..<1 + below(8)).map { _ in UInt8(below(256)) }, at: at)
    case 5: bytes.insert(contentsOf: bytes[block(in: bytes)], at: at)
    case 6: bytes.removeSubrange(block(in: bytes))
    case 7:
      let place = block(in: bytes)
      if !other.isEmpty { bytes.replaceSubrange(place, with: other[block(in: other)]) }
    case 8: bytes = Array(bytes[..<at] + (other.isEmpty ? [] : other[below(other.count)...]))
    case 9:
      let block = Array(bytes[block(in: bytes)].prefix(512))
      for _ in 0..<1 + below(64) { bytes.insert(contentsOf: block, at: at) }
    case 10: setField(&bytes, at)
    case 11 where !words.isEmpty: bytes.insert(contentsOf: words[below(words.count)], at: at)
    default: replaceNumber(&bytes, from: at)
    }
  }

  private mutating func block(in bytes: [UInt8]) -> Range<Int> {
    let start = below(bytes.count)
    return start..<min(bytes.count, start + 1 + below(below(2) == 0 ? 16 : bytes.count))
  }

  /// A binary number of 2, 4 or 8 bytes in either order.
  private mutating func setField(_ bytes: inout [UInt8], _ at: Int) {
    let size = [2, 4, 8][below(3)]
    let values: [UInt64] = [
      0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x7fff_ffff_ffff_ffff,
      0x8000_0000_0000_0000, .max,
      UInt64(bytes.count), UInt64(bytes.count) + 1, UInt64(below(1 << 20)),
    ]
    let value = values[below(values.count)]
    let isBigEndian = below(2) == 0
    for index in 0..<min(size, bytes.count - at) {
      bytes[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (isBigEndian ? size - 1 - index : index)))
    }
  }

  private static let numbers = [
    "0", "1", "2", "3", "4", "5", "7", "12", "16", "64", "-1", "255", "256", "65536", "2147483647", "2147483648",
    "4294967296",
    "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "18446744073709551616", "30000000", "300000000", "1e17", "1e308", "-1e308", "1e999",
    "1e-320", "NaN",
    "Infinity",
    "-Infinity", "0.5", "1.5", "-0", "null", "\"\"", "[]", "{}", "true",
  ].map { Array($0.utf8) }

  /// The first number in the text from a place on becomes an extreme one.
  private mutating func replaceNumber(_ bytes: inout [UInt8], from at: Int) {
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let start = bytes[at...].firstIndex(where: isDigit) else { return setField(&bytes, at) }
    let end = bytes[start...].firstIndex { !isDigit($0) && $0 != UInt8(ascii: ".") } ?? bytes.count
    bytes.replaceSubrange(start..<end, with: Self.numbers[below(Self.numbers.count)])
  }
}
