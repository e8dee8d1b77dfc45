import CTorch

extension F {
  /// Crops, mirrored or not, of chosen images, in one pass on the CPU and as one gather elsewhere.
  /// - Parameters:
  ///   - images: N x C x H x W, uint8 or floating point.
  ///   - indices: int64 B, the image of each row of the result.
  ///   - places: int64 3 x B. The crop's first row and first column in the image padded by `padding` (0 ... 2 padding;
  ///     `padding` is the image itself), and 1 where it is mirrored left to right.
  ///   - mode: what the border holds: zeros, or the image mirrored at its edge, which is not repeated.
  /// - Returns: B x C x H x W in channels_last memory; of uint8 images, float32 with 255 as 1. Differentiable in
  ///   floating images.
  public static func cropFlip(_ images: Tensor, _ indices: Tensor, places: Tensor, padding: Int, mode: PadMode)
    -> Tensor
  {
    let fast = images.device == .cpu && (images.dtype == .uint8 || images.dtype == .float32) && !images.requiresGrad
    guard fast else { return gatherCrops(images, indices, places: places, padding: padding, mode: mode) }
    return made(
      ct_crop_flip(images.handle, indices.handle, places.handle, Int64(padding), mode.rawValue), "cropFlip",
      [images, indices, places])
  }

  /// `cropFlip` by tensor operations, for every device.
  static func gatherCrops(_ images: Tensor, _ indices: Tensor, places: Tensor, padding: Int, mode: PadMode) -> Tensor {
    let shape = images.shape
    let (height, width) = (shape[2], shape[3])
    precondition(
      mode != .reflect || padding < min(height, width), "a border of \(padding) pixels cannot mirror \(images.summary)")
    /// Positions in the image, B x size; outside it where the border is.
    func positions(_ first: Tensor, _ size: Int, flip: Tensor? = nil) -> Tensor {
      var i = Tensor.arange(size, device: images.device).reshaped(1, size)
      if let flip { i = Tensor.where(flip.reshaped(-1, 1) .== 1, Double(size - 1) - i, i) }
      i = i + (first.reshaped(-1, 1) - Double(padding))
      return mode == .reflect ? Double(size - 1) - (Double(size - 1) - i.abs()).abs() : i
    }
    func inside(_ i: Tensor, _ size: Int) -> Tensor { (i .>= 0) .& (i .< Double(size)) }
    let y = positions(places[0], height)
    let x = positions(places[1], width, flip: places[2])
    // B x H x W x C: index dimensions that stand apart come first.
    var out = images.indexed([
      indices.reshaped(-1, 1, 1), nil, y.clamped(0, Double(height - 1)).unsqueezed(2),
      x.clamped(0, Double(width - 1)).unsqueezed(1),
    ])
    if !images.dtype.isFloatingPoint { out = out.to(.float32) * (1 / 255.0) }
    if mode == .constant, padding > 0 {
      out = out * (inside(y, height).unsqueezed(2) .& inside(x, width).unsqueezed(1)).unsqueezed(3).to(out.dtype)
    }
    return out.permuted(0, 3, 1, 2)
  }
}
