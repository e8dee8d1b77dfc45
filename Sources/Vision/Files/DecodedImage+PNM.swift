import Files

// Binary PGM (P5) and PPM (P6), https://netpbm.sourceforge.net/doc/ppm.html: magic, width, height and maxval as text
// with `#` comments between them, one blank, then the samples. A maxval below 255 is scaled to 255; above it samples
// have two bytes, which no classifier data set uses, so that is refused.

extension DecodedImage {
  static func decodePNM(_ bytes: [UInt8], name: String, _ decoding: ImageDecoding) throws -> DecodedImage {
    let channels = bytes[1] == UInt8(ascii: "6") ? 3 : 1
    let format = channels == 3 ? "PPM" : "PGM"
    var at = 2
    func fail(_ problem: String) -> DataError {
      .malformed(path: name, problem: "\(format): \(problem)", fix: DataError.copyAgain)
    }
    func number(_ what: String) throws -> Int {
      while at < bytes.count {
        if bytes[at] == UInt8(ascii: "#") {
          while at < bytes.count, bytes[at] != 10, bytes[at] != 13 { at += 1 }
        } else if isBlank(bytes[at]) {
          at += 1
        } else {
          break
        }
      }
      let start = at
      var value = 0
      while at < bytes.count, at - start < 10, (48...57).contains(bytes[at]) {
        value = value * 10 + Int(bytes[at] - 48)
        at += 1
      }
      guard at > start else { throw fail("the header has no \(what)") }
      return value
    }
    let width = try number("width"), height = try number("height"), maximum = try number("largest value")
    guard at < bytes.count, isBlank(bytes[at]) else { throw fail("no blank after the header") }
    at += 1
    try decoding.check(width: width, height: height, format: format, name: name)
    guard (1...255).contains(maximum) else { throw fail("largest value \(maximum), expected 1 to 255") }
    let count = width * height * channels
    guard bytes.count - at >= count else {
      throw DataError.wrongSize(
        path: name, found: bytes.count, expected: at + count,
        layout: "a header of \(at) bytes and \(width)x\(height)x\(channels) samples")
    }
    decoding.take(count)
    var pixels = Array(bytes[at..<at + count])
    if maximum < 255 {
      guard pixels.allSatisfy({ $0 <= maximum }) else {
        throw fail("a sample is larger than the largest value \(maximum)")
      }
      let table = (0...maximum).map { UInt8((Double($0) * 255 / Double(maximum)).rounded()) }
      for index in pixels.indices { pixels[index] = table[Int(pixels[index])] }
    }
    return DecodedImage(width: width, height: height, channels: channels, pixels: pixels)
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
}
