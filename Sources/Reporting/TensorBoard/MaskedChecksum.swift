/// CRC-32C (Castagnoli) in the masked form of TensorFlow's record files.
///
/// A file of records that holds the checksums of other data would look consistent where it is not; a rotation by 15 bits
/// and a constant avoid that. Source: `tensorflow/core/lib/hash/crc32c.h`, and RFC 3720 for the polynomial.
enum MaskedChecksum {
  /// 0x1EDC6F41 with its bits reversed.
  private static let table: [UInt32] = (0..<256).map { byte in
    var value = UInt32(byte)
    for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    return value
  }

  static func crc32c(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { value, byte in value >> 8 ^ table[Int((value ^ UInt32(byte)) & 0xFF)] }
  }

  static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let value = crc32c(bytes)
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }
}
