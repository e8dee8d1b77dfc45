import Experiments
import Files
import Foundation

/// A PNG file of the run as a page shows it: inlined and enlarged.
struct SampleImage {
  /// A data URI; `nil` if the image cannot be shown.
  var source: String?
  /// CSS pixels.
  var width: Int
  /// CSS pixels.
  var height: Int
  var isPixelated: Bool
  var alternative: String
  var caption: String

  /// Files larger than this are not inlined.
  private static let largestFile = 4 << 20

  /// - Parameters:
  ///   - file: The path in the record, relative to the run's directory. A path that leads out of it is not followed.
  ///   - directory: The run's directory.
  init(_ file: String, in directory: String, caption: String, alternative: String) {
    self.caption = caption
    self.alternative = alternative
    (source, width, height, isPixelated) = (nil, 96, 96, false)
    guard let path = Self.path(of: file, in: directory),
      let bytes = try? FileSystem.read(path, limit: Self.largestFile),
      let size = Self.pngSize(bytes)
    else { return }
    source = "data:image/png;base64," + Data(bytes).base64EncodedString()
    // Three screen pixels for each of a small image; one that is large enough as it is stays as it is.
    let scale = max(1, min(3, 144 / max(size.width, size.height)))
    (width, height, isPixelated) = (size.width * scale, size.height * scale, scale > 1)
  }

  private static func path(of file: String, in directory: String) -> String? {
    guard !file.isEmpty, !file.hasPrefix("/") else { return nil }
    let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().standardizedFileURL.path
    let path = URL(fileURLWithPath: directory + "/" + file).resolvingSymlinksInPath().standardizedFileURL.path
    return path.hasPrefix(root + "/") ? path : nil
  }

  /// The size in a PNG file's header; `nil` if it is not a PNG file.
  private static func pngSize(_ bytes: [UInt8]) -> (width: Int, height: Int)? {
    guard bytes.count >= 24, bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]),
      Array(bytes[12..<16]) == Array("IHDR".utf8)
    else { return nil }
    func integer(_ offset: Int) -> Int { bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) } }
    let (width, height) = (integer(16), integer(20))
    return (1...10_000).contains(width) && (1...10_000).contains(height) ? (width, height) : nil
  }
}
