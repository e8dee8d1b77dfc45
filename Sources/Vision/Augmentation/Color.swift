public import Torch

// Definitions as in torchvision.transforms.functional, for float images. Images of one channel have no colour:
// saturation and hue leave them as they are.
extension ImageOps {
  /// Luma (0.2989 R + 0.587 G + 0.114 B) as N x 1 x H x W.
  public static func luma(_ images: Tensor) -> Tensor {
    guard images.dimension(1) == 3 else { return images }
    return images.narrowed(1, 0..<1) * 0.2989 + images.narrowed(1, 1..<2) * 0.587 + images.narrowed(1, 2..<3) * 0.114
  }
  /// Luma in all channels.
  public static func grayscale(_ images: Tensor) -> Tensor { luma(images).expanded(images.shape) }

  /// Pixels times the factor; 0 is black, 1 the image.
  public static func brightness(_ images: Tensor, _ factor: Tensor) -> Tensor {
    (images * perImage(factor, images)).clamped(0, 1)
  }
  /// Away from the image's mean luma; 0 is plain gray, 1 the image.
  public static func contrast(_ images: Tensor, _ factor: Tensor) -> Tensor {
    blend(images, luma(images).mean([1, 2, 3], keep: true), factor)
  }
  /// Away from the gray image; 0 is gray, 1 the image.
  public static func saturation(_ images: Tensor, _ factor: Tensor) -> Tensor {
    images.dimension(1) == 3 ? blend(images, luma(images), factor) : images
  }
  /// `factor image + (1 - factor) other`, cut to [0, 1].
  private static func blend(_ images: Tensor, _ other: Tensor, _ factor: Tensor) -> Tensor {
    let factor = perImage(factor, images)
    return (images * factor + other * (1 - factor)).clamped(0, 1)
  }

  /// Turns the hue by a share of the colour circle, -1/2 to 1/2, in HSV.
  public static func hue(_ images: Tensor, _ shift: Tensor) -> Tensor {
    guard images.dimension(1) == 3 else { return images }
    let (r, g, b) = (images.narrowed(1, 0..<1), images.narrowed(1, 1..<2), images.narrowed(1, 2..<3))
    let value = images.max([1], keep: true)
    let chroma = value - images.min([1], keep: true)
    let divisor = Tensor.where(chroma .== 0, Tensor.ones(like: chroma), chroma)
    // The hue in sixths of the circle, from red over yellow.
    var h = Tensor.where(
      value .== r, (g - b) / divisor, Tensor.where(value .== g, 2 + (b - r) / divisor, 4 + (r - g) / divisor))
    h = h + perImage(shift, images) * 6
    // Red, green and blue are the value less the chroma times a trapezoid of the hue; the same trapezoid, turned.
    let turn = Tensor([Float(5), 3, 1], shape: [1, 3, 1, 1]).to(images.dtype, images.device)
    h = (h + turn).remainder(6)
    return value - chroma * h.minimum(4 - h).clamped(0, 1)
  }
}
