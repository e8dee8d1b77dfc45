import CImageCodecs
import Files
import Formats

/// One image in memory, 8 bits a sample.
public struct DecodedImage: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// 1 (gray) or 3 (red, green, blue).
  public let channels: Int
  /// (H, W, C) interleaved, values 0...255.
  public let pixels: [UInt8]

  /// Traps when `channels` is neither 1 nor 3 or `pixels` does not hold exactly H * W * C values.
  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition(channels == 1 || channels == 3, "DecodedImage: \(channels) channels, expected 1 or 3")
    precondition(
      width > 0 && height > 0 && pixels.count == width * height * channels,
      "DecodedImage: \(pixels.count) samples for \(width)x\(height)x\(channels)")
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// An image of more pixels than this is refused before any memory is taken for it.
  public static let maximumPixels = 1 << 28

  /// Decodes a PNG, JPEG or binary PPM/PGM file, told apart by its first bytes and never by its name.
  ///
  /// Samples come as stored, as the usual loaders give them: alpha is dropped without blending, 16 bits keep the high
  /// byte, colour profiles and EXIF rotation are not applied.
  /// - Throws: `DataError.missing`, `.unreadable`, or `.malformed` where the file is damaged, of another kind, or larger
  ///   than `maximumPixels`.
  public static func decode(contentsOf path: String) throws -> DecodedImage {
    try decode(try FileSystem.read(path, limit: FormatLimits.image.bytes), name: path)
  }

  /// Decodes the bytes of an image file; `name` stands for the file in errors. Throws as `decode(contentsOf:)`.
  public static func decode(_ bytes: [UInt8], name: String) throws -> DecodedImage {
    switch bytes {
    case _ where bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]):
      return try decode(bytes, name: name, format: "PNG", with: cic_decode_png)
    case _ where bytes.starts(with: [0xff, 0xd8, 0xff]):
      return try decode(bytes, name: name, format: "JPEG", with: cic_decode_jpeg)
    case _ where bytes.starts(with: Array("P5".utf8)) || bytes.starts(with: Array("P6".utf8)):
      return try decodePNM(bytes, name: name)
    case []:
      throw DataError.malformed(path: name, problem: "the file is empty", mend: DataError.copyAgain)
    default:
      let start = bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw DataError.malformed(
        path: name, problem: "neither PNG, JPEG, PPM (P6) nor PGM (P5): it starts with the bytes \(start)",
        mend: "Convert the image to one of these formats, or move it out of the folder.")
    }
  }

  private typealias Decoder = (
    UnsafePointer<UInt8>?, Int, Int, UnsafeMutablePointer<cic_image>?, UnsafeMutablePointer<CChar>?
  ) -> Int32

  private static func decode(_ bytes: [UInt8], name: String, format: String, with decoder: Decoder) throws -> DecodedImage {
    let result = CodecCall.run { message in
      var image = cic_image()
      let status = bytes.withUnsafeBufferPointer { decoder($0.baseAddress, $0.count, maximumPixels, &image, message) }
      defer { cic_free(image.pixels) }
      let pixels = Array(UnsafeBufferPointer(start: image.pixels, count: image.pixels == nil ? 0 : image.count))
      return (status, (image, pixels))
    }
    switch result {
    case .success((let image, let pixels)):
      return DecodedImage(width: Int(image.width), height: Int(image.height), channels: Int(image.channels), pixels: pixels)
    case .failure(let failure):
      throw DataError.malformed(path: name, problem: "\(format): \(failure.message)", mend: DataError.copyAgain)
    }
  }

  /// The image as a PNG file, 8-bit gray or RGB; decoding it gives the same samples back.
  ///
  /// - Throws: `DataError.malformed` where libpng refuses (it does so for no valid image that fits memory).
  public func encodePNG() throws -> [UInt8] {
    guard let width = Int32(exactly: width), let height = Int32(exactly: height) else {
      throw DataError.malformed(path: "PNG", problem: "\(self.width)x\(self.height) pixels", mend: "Encode a smaller image.")
    }
    let result = CodecCall.run { message in
      var buffer: UnsafeMutablePointer<UInt8>?
      var count = 0
      let status = cic_encode_png(pixels, width, height, Int32(channels), &buffer, &count, message)
      defer { cic_free(buffer) }
      return (status, Array(UnsafeBufferPointer(start: buffer, count: count)))
    }
    do { return try result.get() } catch {
      throw DataError.malformed(path: "PNG", problem: "encoding failed (\(error.message))", mend: "Free some memory.")
    }
  }

  /// The part of the image inside the half-open ranges, clipped to nothing: both must lie within the image.
  func cropped(x: Range<Int>, y: Range<Int>) -> DecodedImage {
    precondition(x.lowerBound >= 0 && x.upperBound <= width && y.lowerBound >= 0 && y.upperBound <= height)
    var part: [UInt8] = []
    part.reserveCapacity(x.count * y.count * channels)
    for row in y {
      let start = (row * width + x.lowerBound) * channels
      part.append(contentsOf: pixels[start..<start + x.count * channels])
    }
    return DecodedImage(width: x.count, height: y.count, channels: channels, pixels: part)
  }
}
