import CTorch

/// Several operations in one pass over the memory on the CPU; the same operations one by one elsewhere.
extension F {
  /// `batchNorm(x, ...).relu()`. Fast for float32 and bfloat16 in channels_last memory. Can be differentiated twice.
  public static func batchNormReLU(
    _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, training: Bool, momentum: Double = 0.1,
    eps: Double = 1e-5
  ) -> Tensor {
    made(
      ct_batch_norm_relu(x.handle, weight.handle, bias.handle, mean.handle, variance.handle, training, momentum, eps),
      "batchNormReLU", [x])
  }

  /// `scale * images + overlay`, rounded to whole numbers (halves to even) and clipped to 0...255.
  /// - Parameters:
  ///   - images: uint8 N x C x H x W.
  ///   - overlay: float32 1 x C x H x W, in the images' units.
  public static func blendBytes(_ images: Tensor, scale: Double, overlay: Tensor) -> Tensor {
    precondition(
      images.dtype == .uint8 && overlay.dtype == .float32, "blendBytes(\(images.summary), \(overlay.summary))")
    let fits = overlay.count == images.count / max(1, images.dimension(0))
    guard images.device == .cpu, images.isContiguous, overlay.isContiguous, fits else {
      return noGrad { (images.to(.float32) * scale + overlay).round().clamped(0, 255).to(.uint8) }
    }
    return made(ct_blend_bytes(images.handle, overlay.handle, scale), "blendBytes", [images, overlay])
  }
}
