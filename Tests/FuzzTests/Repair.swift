import Formats

/// Lengths and checksums set right after a change, so that it gets past the first look.
enum Repair {
  /// The length before a safetensors header: to the last brace before the data, wherever the change moved it.
  static func safetensors(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count > 8 else { return bytes }
    var depth = 0
    var end = bytes.count
    for (index, byte) in bytes[8...].enumerated() {
      if byte == UInt8(ascii: "{") { depth += 1 }
      if byte == UInt8(ascii: "}") {
        depth -= 1
        if depth <= 0 {
          end = 8 + index + 1
          break
        }
      }
    }
    return little(end - 8, 8) + bytes[8...]
  }

  /// Lengths and checksums of a PNG file's chunks, as far as they can be followed.
  static func png(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var at = 8
    while at + 12 <= bytes.count {
      let length = min(Int(big(bytes[at..<at + 4])), bytes.count - at - 12)
      bytes.replaceSubrange(at..<at + 4, with: little(length, 4).reversed())
      let crc = Gzip.crc32(Array(bytes[at + 4..<at + 8 + length]))
      bytes.replaceSubrange(at + 8 + length..<at + 12 + length, with: little(Int(crc), 4).reversed())
      at += 12 + length
    }
    return bytes
  }

  /// The bytes as a gzip file of one stored block.
  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    let bytes = Array(bytes.prefix(0xffff))
    return [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1] + little(bytes.count, 2) + little(~bytes.count, 2) + bytes
      + little(Int(Gzip.crc32(bytes)), 4) + little(bytes.count, 4)
  }

  private static func big(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
  private static func little(_ value: Int, _ size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
