import CTorch

extension F {
  /// The augmentation of contrastive learning in one pass on the CPU: box, resize, mirror, colours, gray, blur, of
  /// chosen images. `ContrastiveAugmentation` in Vision draws the numbers and defines the result by operations on any
  /// device.
  /// - Parameters:
  ///   - images: N x C x H x W, uint8 or float32, on the CPU.
  ///   - indices: int64 B, the image of each row of the result.
  ///   - draws: float32 B x 12: top, left, height, width of the box; 1 to mirror; 1 to change colours, factors of
  ///     brightness, contrast and saturation, shift of the hue; 1 for gray; standard deviation of the blur, 0 for none.
  ///   - order: int64 4: the order of brightness (0), contrast (1), saturation (2) and hue (3).
  ///   - radius: of the blur's kernel.
  /// - Returns: float32 B x C x height x width in channels_last memory.
  public static func contrastiveAugmentation(
    _ images: Tensor, _ indices: Tensor, draws: Tensor, order: Tensor, height: Int, width: Int, bicubic: Bool,
    radius: Int
  ) -> Tensor {
    made(
      ct_contrastive_augmentation(
        images.handle, indices.handle, draws.handle, order.handle, Int64(height), Int64(width), bicubic, Int64(radius)),
      "contrastiveAugmentation", [images, indices, draws, order])
  }
}
