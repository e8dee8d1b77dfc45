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

  /// Makes each pixel of four others of its plane, with weights, rounded to whole numbers (halves to even) and clipped.
  /// - Parameters:
  ///   - images: uint8 N x C x H x W.
  ///   - places: int32 4 x H W, positions in a plane, row by row, from 0 to H W - 1.
  ///   - weights: float32 4 x H W.
  public static func mixBytes(_ images: Tensor, places: Tensor, weights: Tensor) -> Tensor {
    let area = images.dimension(2) * images.dimension(3)
    precondition(
      images.dtype == .uint8 && places.dtype == .int32 && weights.dtype == .float32 && places.shape == [4, area]
        && weights.shape == [4, area], "mixBytes(\(images.summary), \(places.summary), \(weights.summary))")
    guard images.device == .cpu, images.isContiguous else {
      return noGrad {
        let pixels = images.to(.float32).flattened(2)
        let parts = (0..<4).map { pixels.indexed([nil, nil, places[$0].to(.int64, images.device)]) * weights[$0] }
        let sum = parts[0] + parts[1] + parts[2] + parts[3]
        return sum.round().clamped(0, 255).to(.uint8).reshaped(images.shape)
      }
    }
    let (places, weights) = (places.contiguous(), weights.contiguous())
    return made(ct_mix_bytes(images.handle, places.handle, weights.handle), "mixBytes", [images, places, weights])
  }
}
