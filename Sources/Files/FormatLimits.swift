/// How much a reader of a file from outside takes in. A file that asks for more is refused; it may be small and still
/// ask for terabytes.
public struct FormatLimits: Sendable {
  /// The most bytes of a file that is read whole, and that compressed data may grow to.
  public var bytes: Int
  /// The most levels of values within values.
  public var depth: Int
  /// The most values in all; what is shared counts wherever it is used.
  public var values: Int

  public init(bytes: Int = 1 << 30, depth: Int = 100, values: Int = 4_000_000) {
    self.bytes = bytes
    self.depth = depth
    self.values = values
  }

  /// What files with data take: JSON, pickles, headers, gzip.
  public static let standard = FormatLimits()
  /// Texts that people write. Aliases can make one page of YAML grow to billions of values.
  public static let settings = FormatLimits(bytes: 16 << 20, values: 200_000)
  /// Data that is read whole as it lies in its file. The unlabeled images of STL-10 take 2.8 GB.
  public static let rawData = FormatLimits(bytes: 8 << 30)
  /// One image file.
  public static let image = FormatLimits(bytes: 256 << 20)
}
