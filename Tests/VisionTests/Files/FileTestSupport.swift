import Files
import Formats
import Testing
import Vision

/// The error that the body throws, as the user sees it; records an issue where it throws nothing or an error that is
/// not ours.
func message(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> String {
  do {
    try body()
    Issue.record("no error was thrown", sourceLocation: sourceLocation)
    return "no error"
  } catch {
    #expect(
      error is DataError || error is FileError || error is FormatError || error is ParseError,
      sourceLocation: sourceLocation)
    return "\(error)"
  }
}

/// Equality of large arrays. `#expect(a == b)` would spend minutes on describing how they differ.
func same(_ a: [UInt8], _ b: [UInt8]) -> Bool { a == b }

/// A gzip file of one stored block: at most 65,535 bytes.
func gzipStored(_ bytes: [UInt8]) -> [UInt8] {
  func little(_ value: Int, _ size: Int) -> [UInt8] { (0..<size).map { UInt8(value >> (8 * $0) & 0xff) } }
  return [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1] + little(bytes.count, 2) + little(~bytes.count, 2) + bytes
    + little(Int(Gzip.crc32(bytes)), 4) + little(bytes.count, 4)
}

/// A binary PPM of one colour.
func ppm(width: Int, height: Int, _ colour: [UInt8]) -> [UInt8] {
  Array("P6\n\(width) \(height)\n255\n".utf8) + (0..<width * height).flatMap { _ in colour }
}

/// An RGB image whose sample at (x, y, c) is `x + 10 y + 100 c`.
func ramp(width: Int, height: Int, plus: Int = 0) -> DecodedImage {
  let pixels = (0..<height).flatMap { y in
    (0..<width).flatMap { x in (0..<3).map { UInt8((x + 10 * y + 100 * $0 + plus) & 255) } }
  }
  return DecodedImage(width: width, height: height, channels: 3, pixels: pixels)
}

/// Nearest neighbour, enough to see which pixels a reader handed over.
let nearest: ImageResize = { image, size in
  let pixels = (0..<size).flatMap { y in
    (0..<size).flatMap { x in
      let start = (y * image.height / size * image.width + x * image.width / size) * image.channels
      return image.pixels[start..<start + image.channels]
    }
  }
  return DecodedImage(width: size, height: size, channels: image.channels, pixels: pixels)
}

extension RawImages {
  /// The sample of image n, channel c, row y, column x.
  subscript(n: Int, c: Int, y: Int, x: Int) -> UInt8 { pixels[((n * channels + c) * height + y) * width + x] }
}
