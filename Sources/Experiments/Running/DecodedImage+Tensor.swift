import Torch
import Vision

extension DecodedImage {
  /// - Parameter image: uint8 C x H x W, of one or three channels.
  init(image: Tensor) {
    let shape = image.shape
    self.init(
      width: shape[2], height: shape[1], channels: shape[0],
      pixels: image.to(.cpu).permuted(1, 2, 0).contiguous().array(UInt8.self))
  }
}
