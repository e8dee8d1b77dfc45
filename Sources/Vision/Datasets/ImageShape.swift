/// The shape of a data set's images.
public struct ImageShape: Sendable, Hashable, Codable {
  public var channels: Int
  public var height: Int
  public var width: Int
  public init(channels: Int, height: Int, width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }
}

extension ImageDataset {
  public var shape: ImageShape { ImageShape(channels: channels, height: height, width: width) }
}
