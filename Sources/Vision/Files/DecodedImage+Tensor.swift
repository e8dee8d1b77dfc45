public import Torch

extension DecodedImage {
  /// - Parameter image: uint8 C x H x W, with 1 or 3 channels.
  public init(_ image: Tensor) {
    let shape = image.shape
    self.init(
      width: shape[2], height: shape[1], channels: shape[0],
      pixels: image.to(.cpu).permuted(1, 2, 0).contiguous().array(UInt8.self))
  }

  /// The pixels as uint8 1 x C x H x W, on the CPU.
  public var tensor: Tensor { Tensor(pixels, shape: [1, height, width, channels]).permuted(0, 3, 1, 2) }
}
