import Backdoor
import Torch
import Vision

/// A patch at another place of each image, every place that holds it whole and so far from the edges equally likely.
struct MovingPatch: Trigger {
  let patch: Patch
  /// Least distance from the edge, in pixels.
  let margin: Int
  init(_ patch: Patch, margin: Int = 0) { (self.patch, self.margin) = (patch, margin) }

  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    require(
      images.dimension(1) == patch.channels, "a patch of \(patch.channels) channels on images \(images.summary)")
    let (count, side) = (images.dimension(0), patch.side)
    let device = images.device
    /// For each pixel of an axis, the patch's row or column there, and whether there is one: count x size.
    func inside(_ size: Int) -> (index: Tensor, isInside: Tensor) {
      let first = generator.places(side: side, margin: margin, of: size, [count, 1]).to(device)
      let index = Tensor.arange(size, device: device).reshaped(1, size) - first
      return (index.clamped(0, Double(side - 1)), (index .>= 0) .& (index .< Double(side)))
    }
    let (rows, hasRow) = inside(images.dimension(2))
    let (columns, hasColumn) = inside(images.dimension(3))
    /// side x side values at each image's place: count x C x H x W.
    func placed(_ values: Tensor) -> Tensor {
      values.indexed([nil, rows.unsqueezed(2), columns.unsqueezed(1)]).permuted(1, 0, 2, 3)
    }
    var weight = (hasRow.unsqueezed(2) .& hasColumn.unsqueezed(1)).unsqueezed(1).to(images.dtype)
    weight = weight * placed(Tensor(patch.mask, shape: [1, side, side]).to(device).to(images.dtype))
    if let opacity = patch.opacity {
      weight = weight * placed(Tensor(opacity, shape: [1, side, side]).to(device).to(images.dtype))
    }
    let values = Tensor(patch.values, shape: [patch.channels, side, side]).to(device).unitPixels().to(images.dtype)
    return images * (1 - weight) + placed(values) * weight
  }
}
