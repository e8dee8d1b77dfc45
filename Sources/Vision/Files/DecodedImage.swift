import CImageCodecs
import Files
import Formats
import Support

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

  /// Decodes an image file: PNG, JPEG, WebP, BMP, the first frame of a GIF, the first page of a TIFF, or binary PPM or
  /// PGM, told apart by its first bytes and never by its name.
  ///
  /// Samples come as stored, as the usual loaders give them: alpha is dropped without blending, 16 bits keep the high
  /// byte, colour profiles and EXIF rotation are not applied.
  /// - Throws: `DataError.missing`, `.unreadable`, or `.malformed` where the file is damaged, not whole, of another
  ///   kind, or larger than the limits; `Interrupted` where the process is asked to stop.
  public static func decode(contentsOf path: String, limits: DecodingLimits = DecodingLimits()) throws -> DecodedImage {
    try decode(contentsOf: path, ImageDecoding(limits: limits)).image
  }

  /// Decodes the bytes of an image file; `name` stands for the file in errors. Throws as `decode(contentsOf:)`.
  public static func decode(_ bytes: [UInt8], name: String, limits: DecodingLimits = DecodingLimits()) throws
    -> DecodedImage
  {
    try decode(bytes, name: name, ImageDecoding(limits: limits)).image
  }

  /// The image and the opacity of its pixels: (H, W), from 0 for transparent to 255 for opaque; nil where all are
  /// opaque.
  ///
  /// The colours are those of `decode(contentsOf:)`, whatever the opacity. Throws as it does.
  public static func decodeWithAlpha(
    contentsOf path: String, limits: DecodingLimits = DecodingLimits()
  ) throws -> (image: DecodedImage, alpha: [UInt8]?) {
    try decode(contentsOf: path, ImageDecoding(limits: limits, keepsAlpha: true))
  }

  static func decode(contentsOf path: String, _ decoding: ImageDecoding) throws -> (
    image: DecodedImage, alpha: [UInt8]?
  ) {
    try decode(FileSystem.read(path, limit: decoding.limits.fileBytes), name: path, decoding)
  }

  static func decode(_ bytes: [UInt8], name: String, _ decoding: ImageDecoding) throws -> (
    image: DecodedImage, alpha: [UInt8]?
  ) {
    try Interruption.check()
    let (format, decoder): (String, ImageDecoding.Decoder)
    switch bytes {
    case _ where bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]):
      (format, decoder) = ("PNG", cic_decode_png)
    case _ where bytes.starts(with: [0xff, 0xd8, 0xff]): (format, decoder) = ("JPEG", cic_decode_jpeg)
    case _ where bytes.starts(with: "RIFF".utf8) && bytes.dropFirst(8).starts(with: "WEBP".utf8):
      (format, decoder) = ("WebP", cic_decode_webp)
    case _ where bytes.starts(with: "GIF8".utf8): (format, decoder) = ("GIF", cic_decode_gif)
    case _
    where [[0x49, 0x49, 42, 0], [0x4d, 0x4d, 0, 42], [0x49, 0x49, 43, 0], [0x4d, 0x4d, 0, 43]].contains(bytes.prefix(4)):
      (format, decoder) = ("TIFF", cic_decode_tiff)
    case _ where bytes.starts(with: "P5".utf8) || bytes.starts(with: "P6".utf8):
      return (try decodePNM(bytes, name: name, decoding), nil)
    case _ where bytes.starts(with: "BM".utf8):
      return try BMPFile(bytes, name: name, decoding).decode()
    case []:
      throw DataError.malformed(path: name, problem: "the file is empty", fix: DataError.copyAgain)
    default:
      let start = bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      throw DataError.malformed(
        path: name,
        problem: "neither PNG, JPEG, WebP, BMP, GIF, TIFF, PPM (P6) nor PGM (P5): it starts with the bytes \(start)",
        fix: "Convert the image to one of these formats, or move it out of the folder.")
    }
    let (width, height, channels, samples) = try decoding.run(decoder, bytes, format: format, name: name)
    return split(width: width, height: height, channels: channels, samples)
  }

  /// Takes alpha, the last of 2 or 4 channels, out of the samples.
  static func split(width: Int, height: Int, channels: Int, _ samples: [UInt8]) -> (
    image: DecodedImage, alpha: [UInt8]?
  ) {
    guard channels == 2 || channels == 4 else {
      return (DecodedImage(width: width, height: height, channels: channels, pixels: samples), nil)
    }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * (channels - 1))
    var alpha: [UInt8] = []
    alpha.reserveCapacity(width * height)
    for start in stride(from: 0, to: samples.count, by: channels) {
      pixels.append(contentsOf: samples[start..<start + channels - 1])
      alpha.append(samples[start + channels - 1])
    }
    let image = DecodedImage(width: width, height: height, channels: channels - 1, pixels: pixels)
    return (image, alpha.allSatisfy { $0 == 255 } ? nil : alpha)
  }

  /// The image as a PNG file, 8-bit gray or RGB; decoding it gives the same samples back.
  ///
  /// - Throws: `DataError.malformed` where libpng refuses (it does so for no valid image that fits memory).
  public func encodePNG() throws -> [UInt8] {
    guard let width = Int32(exactly: width), let height = Int32(exactly: height) else {
      throw DataError.malformed(
        path: "PNG", problem: "\(self.width)x\(self.height) pixels", fix: "Encode a smaller image.")
    }
    let result = CodecCall.run { message in
      var buffer: UnsafeMutablePointer<UInt8>?
      var count = 0
      let status = cic_encode_png(pixels, width, height, Int32(channels), &buffer, &count, message)
      defer { cic_free(buffer) }
      return (status, Array(UnsafeBufferPointer(start: buffer, count: count)))
    }
    do { return try result.get() } catch {
      throw DataError.malformed(path: "PNG", problem: "encoding failed (\(error.message))", fix: "Free some memory.")
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
