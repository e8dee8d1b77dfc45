import Support

/// Windows bitmaps: a palette of 1, 4 or 8 bits, 24 bits, or 16 and 32 bits with or without masks; uncompressed.
/// https://learn.microsoft.com/windows/win32/gdi/bitmap-storage
struct BMPFile {
  private let bytes: [UInt8]
  private let name: String
  private let decoding: ImageDecoding

  init(_ bytes: [UInt8], name: String, _ decoding: ImageDecoding) {
    (self.bytes, self.name, self.decoding) = (bytes, name, decoding)
  }

  private func fail(_ problem: String, fix: String = DataError.copyAgain) -> DataError {
    .malformed(path: name, problem: "BMP: \(problem)", fix: fix)
  }
  /// A little-endian number of so many bytes.
  private func number(_ at: Int, _ size: Int) throws -> Int {
    guard at >= 0, at + size <= bytes.count else { throw fail("the file ends early") }
    return (0..<size).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }

  private struct Header {
    var width = 0
    var height = 0
    var isTopDown = false
    var bits = 0
    /// Where the rows start, each padded to a multiple of four bytes.
    var start = 0
    var stride = 0
    /// Red, green, blue; of images of up to 8 bits.
    var palette: [[UInt8]] = []
    /// Red, green, blue and alpha; of images of 16 and 32 bits.
    var masks: [Int] = []
  }

  func decode() throws -> (image: DecodedImage, alpha: [UInt8]?) {
    let header = try header()
    let isGray = !header.palette.isEmpty && header.palette.allSatisfy { $0[0] == $0[1] && $0[1] == $0[2] }
    let hasAlpha = decoding.keepsAlpha && header.masks.count == 4 && header.masks[3] != 0
    let channels = (isGray ? 1 : 3) + (hasAlpha ? 1 : 0)
    decoding.take(header.width * header.height * channels)
    var samples: [UInt8] = []
    samples.reserveCapacity(header.width * header.height * channels)
    for y in 0..<header.height {
      let row = header.start + (header.isTopDown ? y : header.height - 1 - y) * header.stride
      switch header.bits {
      case 24:
        for at in Swift.stride(from: row, to: row + 3 * header.width, by: 3) {
          samples.append(bytes[at + 2])
          samples.append(bytes[at + 1])
          samples.append(bytes[at])
        }
      case 16, 32:
        let size = header.bits / 8
        for x in 0..<header.width {
          let value = try number(row + size * x, size)
          for mask in header.masks.prefix(hasAlpha ? 4 : 3) { samples.append(Self.field(value, mask)) }
        }
      default:
        let perByte = 8 / header.bits
        for x in 0..<header.width {
          let shift = 8 - header.bits * (x % perByte + 1)
          let index = Int(bytes[row + x / perByte]) >> shift & (1 << header.bits - 1)
          guard index < header.palette.count else {
            throw fail("a pixel has colour \(index) of \(header.palette.count)")
          }
          samples.append(contentsOf: header.palette[index].prefix(isGray ? 1 : 3))
        }
      }
      if y % 64 == 63 { try Interruption.check() }
    }
    return DecodedImage.split(width: header.width, height: header.height, channels: channels, samples)
  }

  /// The bits under a mask, scaled to 0...255.
  private static func field(_ value: Int, _ mask: Int) -> UInt8 {
    guard mask != 0 else { return 0 }
    let shift = mask.trailingZeroBitCount
    return UInt8((value & mask) >> shift * 255 / (mask >> shift))
  }

  private func header() throws -> Header {
    var header = Header()
    let size = try number(14, 4)
    guard size == 12 || [40, 52, 56, 64, 108, 124].contains(size) else { throw fail("a header of \(size) bytes") }
    let isOld = size == 12
    header.start = try number(10, 4)
    header.width = try number(18, isOld ? 2 : 4)
    header.height = try number(isOld ? 20 : 22, isOld ? 2 : 4)
    header.bits = try number(isOld ? 24 : 28, 2)
    if !isOld, header.height >= 1 << 31 {
      header.height = 1 << 32 - header.height
      header.isTopDown = true
    }
    let compression = try isOld ? 0 : number(30, 4)
    try decoding.check(width: header.width, height: header.height, format: "BMP", name: name)
    guard [1, 4, 8, 16, 24, 32].contains(header.bits),
      compression == 0 || compression == 3 && [16, 32].contains(header.bits)
    else {
      throw fail(
        "\(header.bits) bits a pixel with compression \(compression), which is not read", fix: ImageDecoding.convert)
    }
    if header.bits <= 8 {
      let stated = try isOld ? 0 : number(46, 4)
      let entry = isOld ? 3 : 4
      // Programs leave the rest of the table out without a word.
      let room = max(0, min(header.start, bytes.count) - 14 - size) / entry
      for index in 0..<min(stated == 0 ? 1 << header.bits : stated, 1 << header.bits, room) {
        let at = 14 + size + entry * index
        header.palette.append([bytes[at + 2], bytes[at + 1], bytes[at]])
      }
      guard !header.palette.isEmpty else { throw fail("no palette") }
    } else if compression == 3 {
      // Three masks follow the oldest header; later ones hold them, and a fourth for alpha.
      header.masks = try (0..<(size >= 56 && size != 64 ? 4 : 3)).map { try number(54 + 4 * $0, 4) }
      guard header.masks.prefix(3).allSatisfy({ $0 != 0 }) else { throw fail("no colour mask") }
    } else {
      header.masks = header.bits == 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff]
    }
    header.stride = (header.width * header.bits + 31) / 32 * 4
    guard header.start >= 14 + size, header.start + header.stride * header.height <= bytes.count else {
      throw DataError.wrongSize(
        path: name, found: bytes.count, expected: header.start + header.stride * header.height,
        layout: "BMP of \(header.width) x \(header.height) pixels of \(header.bits) bits")
    }
    return header
  }
}
