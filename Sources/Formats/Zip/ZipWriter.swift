/// Headers of a zip archive of stored entries, below 4 GB. The caller writes each header and then the entry's bytes.
struct ZipWriter {
  private var at = 0
  private var directory: [UInt8] = []
  private var count = 0

  /// What comes before an entry's bytes; nil where the archive would grow too large. The bytes begin at a multiple of
  /// 64, as PyTorch's do, so that they can be mapped into memory.
  mutating func header(_ name: String, _ bytes: [UInt8]) -> [UInt8]? {
    let plain = at + 30 + name.utf8.count + 4
    let padding = (64 - plain % 64) % 64
    guard plain + padding + bytes.count < 0xffff_0000, count < 0xfff0 else { return nil }
    // Version, flags, method, time, date (1 January 1980); checksum, both sizes, length of the name.
    let common =
      Self.fields([20, 0, 0, 0, 33], width: 2)
      + Self.fields([Int(Gzip.crc32(bytes)), bytes.count, bytes.count], width: 4)
      + Self.fields([name.utf8.count], width: 2)
    // The padding is an extra field of its own.
    let local: [UInt8] =
      [0x50, 0x4b, 3, 4] + common + Self.fields([padding + 4], width: 2) + Array(name.utf8)
      + Self.fields([0x4246, padding], width: 2) + [UInt8](repeating: 0x5a, count: padding)
    // No extra field, comment, disk or attributes; then the place of the header.
    directory +=
      [0x50, 0x4b, 1, 2, 20, 0] + common + Self.fields([0, 0, 0, 0], width: 2) + Self.fields([0, at], width: 4)
      + Array(name.utf8)
    at += local.count + bytes.count
    count += 1
    return local
  }

  /// The directory, after the last entry.
  var end: [UInt8] {
    directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + Self.fields([count, count], width: 2)
      + Self.fields([directory.count, at], width: 4) + [0, 0]
  }

  /// Little-endian numbers.
  private static func fields(_ values: [Int], width: Int) -> [UInt8] {
    values.flatMap { value in (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }
}
