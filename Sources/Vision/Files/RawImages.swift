/// A data set in memory as it lies in its files: 8-bit pixels in planes, and one label an image.
public struct RawImages: Sendable, Equatable {
  /// 1 (gray) or 3 (red, green, blue).
  public let channels: Int
  public let height: Int
  public let width: Int
  /// (N, C, H, W) planar, values 0...255.
  public let pixels: [UInt8]
  /// (N), class indices into `classNames`, or -1 for an image without a label.
  public let labels: [Int64]
  public let classNames: [String]
  /// What the user should know about how the files were read, one sentence each.
  public var notes: [String] = []
  /// (N), where each image was read from; nil where that says nothing, as of drawn images.
  public var sources: [SampleSource]?

  /// N, the number of images.
  public var count: Int { labels.count }

  /// Traps when `pixels` does not hold exactly N * C * H * W values or a label is outside `classNames` (-1 is allowed).
  public init(
    channels: Int, height: Int, width: Int, pixels: [UInt8], labels: [Int64], classNames: [String],
    sources: [SampleSource]? = nil
  ) {
    precondition(
      (sources?.count ?? labels.count) == labels.count,
      "RawImages: \(sources?.count ?? 0) sources of \(labels.count) images")
    precondition(
      pixels.count == labels.count * channels * height * width,
      "RawImages: \(pixels.count) pixels for \(labels.count) images of \(channels)x\(height)x\(width)")
    precondition(
      labels.allSatisfy { $0 >= -1 && $0 < classNames.count }, "RawImages: a label is outside -1..<\(classNames.count)")
    self.channels = channels
    self.height = height
    self.width = width
    self.pixels = pixels
    self.labels = labels
    self.classNames = classNames
    self.sources = sources
  }
}
