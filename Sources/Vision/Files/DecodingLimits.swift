/// What an image file may cost. A small file can claim to be a huge image; one that asks for more than this is refused
/// before memory is taken for it.
public struct DecodingLimits: Sendable, Hashable {
  /// Most pixels of the width and of the height.
  public var side = 65_535
  /// Most pixels of the width times the height.
  public var pixels = 100_000_000
  /// Most scans of a JPEG file; programs write about ten.
  public var scans = 100
  /// Most bytes of the file itself.
  public var fileBytes = 1 << 28
  /// Bytes that decoders side by side may take together. An image that needs more is decoded alone.
  public var memory = 1 << 30

  public init() {}

  /// The default limits with another number of pixels; nil leaves it.
  public init(pixels: Int?) {
    if let pixels { self.pixels = pixels }
  }
}
