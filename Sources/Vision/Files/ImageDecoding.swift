import CImageCodecs
import Formats
import Support

/// The decoding of one image: its limits, the memory that it holds, and whether the process was asked to stop.
final class ImageDecoding {
  let limits: DecodingLimits
  /// Whether alpha is kept where the file has it.
  let keepsAlpha: Bool
  private let budget: MemoryBudget?
  private var held = 0

  init(limits: DecodingLimits = DecodingLimits(), keepsAlpha: Bool = false, budget: MemoryBudget? = nil) {
    self.limits = limits
    self.keepsAlpha = keepsAlpha
    self.budget = budget
  }

  /// Waits for the memory that decoding will take. Called once.
  func take(_ bytes: Int) {
    budget?.take(bytes)
    held += bytes
  }

  /// Gives the memory back, when the image is no longer needed.
  func release() {
    budget?.give(held)
    held = 0
  }

  /// - Throws: `DataError` where the limits forbid an image of this size.
  func check(width: Int, height: Int, format: String, name: String) throws {
    guard width > 0, height > 0 else {
      throw DataError.malformed(path: name, problem: "\(format): \(width) x \(height) pixels", fix: DataError.copyAgain)
    }
    guard width <= limits.side, height <= limits.side, width <= limits.pixels / height else {
      throw DataError.malformed(
        path: name,
        problem:
          "\(format): \(width) x \(height) pixels, and the limit is \(limits.side) a side and \(limits.pixels) in all",
        fix: Self.raiseLimit)
    }
  }

  static let raiseLimit = "Make the image smaller or, if you trust the file, raise the limit (dataset.maximumPixels)."
  static let convert = "Convert the image to an ordinary PNG file, or move it out of the folder."

  typealias Decoder = (
    UnsafePointer<UInt8>?, Int, UnsafePointer<cic_options>?, UnsafeMutablePointer<cic_image>?,
    UnsafeMutablePointer<CChar>?
  ) -> Int32

  /// Samples of one of the C decoders, interleaved, with alpha as the last channel where it is kept.
  func run(
    _ decoder: Decoder, _ bytes: [UInt8], format: String, name: String
  ) throws -> (width: Int, height: Int, channels: Int, samples: [UInt8]) {
    let result = CodecCall.run { message in
      var options = cic_options(
        side: limits.side, pixels: limits.pixels, scans: Int32(clamping: limits.scans), alpha: keepsAlpha ? 1 : 0,
        stop: { context, bytes in
          if bytes > 0, let context { Unmanaged<ImageDecoding>.fromOpaque(context).takeUnretainedValue().take(bytes) }
          return Interruption.isRequested ? 1 : 0
        }, context: Unmanaged.passUnretained(self).toOpaque())
      var image = cic_image()
      let status = bytes.withUnsafeBufferPointer { decoder($0.baseAddress, $0.count, &options, &image, message) }
      defer { cic_free(image.pixels) }
      let samples = Array(UnsafeBufferPointer(start: image.pixels, count: image.pixels == nil ? 0 : image.count))
      return (status, (Int(image.width), Int(image.height), Int(image.channels), samples))
    }
    switch result {
    case .success(let image): return image
    case .failure(let failure):
      try failure.throwIfStopped()
      let fix =
        switch failure.status {
        case Int32(CIC_TOO_LARGE): Self.raiseLimit
        case Int32(CIC_UNSUPPORTED): Self.convert
        case Int32(CIC_NO_MEMORY): "Free some memory."
        default: DataError.copyAgain
        }
      let problem = failure.status == Int32(CIC_UNSUPPORTED) ? "\(failure.message), which is not read" : failure.message
      throw DataError.malformed(path: name, problem: "\(format): \(problem)", fix: fix)
    }
  }
}
