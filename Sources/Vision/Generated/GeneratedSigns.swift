import Dispatch

/// "Signs": ten classes of rendered signs, generated on the spot, for demonstrations and tests without a download.
///
/// Shape alone tells the classes apart. Colours, place, size, a turn of up to 25 degrees, the texture of the
/// background, clutter, partial cover, light and pixel noise are random and equally distributed in all classes, so that
/// pixels taken one by one say little and a convolutional network has something to learn.
///
/// Image `i` of a split is a pure function of (seed, split, i, size): it does not depend on how many images are asked
/// for, on the number of threads or on the platform. The two splits never share an image. Another size shows the same
/// scenes, drawn finer.
public struct GeneratedSigns: Sendable {
  /// The two halves of the data set; each is as long as one asks.
  public enum Split: String, CaseIterable, Codable, Sendable {
    case train
    case test

    fileprivate var stream: UInt64 {
      switch self {
      case .train: 1
      case .test: 2
      }
    }
  }

  /// Names of the classes, in the order of the labels.
  public static let classNames: [String] = classes.map(\.name)

  /// Sides in pixels that `init` accepts.
  public static let sizes = 28...64

  private static let classes: [(name: String, outline: GeneratedOutline)] = [
    ("disc", .disc), ("ring", .ring), ("triangle", .triangle), ("square", .square), ("cross", .cross),
    ("star", .star), ("arrow", .arrow), ("crescent", .crescent), ("heart", .heart), ("bolt", .bolt),
  ]

  /// The seed that names this variant of the data set.
  public let seed: UInt64

  /// Side of the square images in pixels.
  public let size: Int

  /// - Parameters:
  ///   - seed: any number; different seeds give unrelated images.
  ///   - size: side of the images in pixels, within `sizes` (28...64); anything else traps.
  public init(seed: UInt64 = 0, size: Int = 32) {
    precondition(Self.sizes.contains(size), "GeneratedSigns: size \(size) is outside \(Self.sizes)")
    self.seed = seed
    self.size = size
  }

  /// The first `count` images of a split.
  ///
  /// - Returns: `pixels`, uint8 in 0...255, laid out N, 3, H, W with the channels red, green, blue; `labels`, N indices
  ///   into `classNames`. Any run of images that starts at a multiple of ten holds the classes equally often, up to
  ///   one.
  public func images(split: Split, count: Int) -> (pixels: [UInt8], labels: [Int64]) {
    precondition(count >= 0, "GeneratedSigns: count \(count) is negative")
    return images(split: split, range: 0..<count)
  }

  /// The images of a split at the positions `range`, which may start anywhere from 0 on; equal to the same slice of a
  /// longer call.
  ///
  /// - Returns: as for `images(split:count:)`.
  public func images(split: Split, range: Range<Int>) -> (pixels: [UInt8], labels: [Int64]) {
    precondition(range.lowerBound >= 0, "GeneratedSigns: the range \(range) starts below 0")
    let labels = range.map { Int64(label(split: split, index: $0)) }
    let bytes = 3 * size * size
    let pixels = [UInt8](unsafeUninitializedCapacity: bytes * range.count) { buffer, initializedCount in
      // Pieces write to parts of the buffer that do not overlap and share no state, so their order cannot matter.
      nonisolated(unsafe) let target = buffer
      let piece = 64
      DispatchQueue.concurrentPerform(iterations: (range.count + piece - 1) / piece) { number in
        for offset in (number * piece)..<min((number + 1) * piece, range.count) {
          let image = UnsafeMutableBufferPointer(rebasing: target[(offset * bytes)..<((offset + 1) * bytes)])
          draw(split: split, index: range.lowerBound + offset, label: Int(labels[offset]), into: image)
        }
      }
      initializedCount = bytes * range.count
    }
    return (pixels, labels)
  }

  /// Each ten consecutive images hold every class once, in an order of their own: balanced, shuffled, and free of the
  /// count.
  private func label(split: Split, index: Int) -> Int {
    let count = Self.classes.count
    var random = GeneratedRandom(seed: seed, stream: split.stream | Self.labelStream, index: UInt64(index / count))
    return random.permutation(count: count)[index % count]
  }

  private func draw(split: Split, index: Int, label: Int, into pixels: UnsafeMutableBufferPointer<UInt8>) {
    var random = GeneratedRandom(seed: seed, stream: split.stream, index: UInt64(index))
    GeneratedScene(outline: Self.classes[label].outline, random: &random).draw(
      into: pixels, size: size, random: &random)
  }

  /// Sets the streams of the labels apart from those of the images.
  private static let labelStream: UInt64 = 1 << 32
}
