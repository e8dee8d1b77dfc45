public import Torch

/// How pixels between pixels are made.
public enum ResampleFilter: String, Sendable, Codable, CaseIterable {
  case bilinear
  case bicubic

  /// Weights at the given distances, before they are made to sum to 1. Bicubic is Keys' with a = -1/2, as Pillow has
  /// it.
  func weights(_ distance: Tensor) -> Tensor {
    let d = distance.abs()
    switch self {
    case .bilinear: return (1 - d).clamped(min: 0)
    case .bicubic:
      let near = (1.5 * d - 2.5) * d * d + 1
      let far = ((2.5 - 0.5 * d) * d - 4) * d + 2
      return Tensor.where(d .< 1, near, Tensor.where(d .< 2, far, Tensor.zeros(like: d)))
    }
  }
}

extension ImageOps {
  /// A separable linear map with its own matrices per image: `rows` (N x H' x H) times each channel times `columns` (N
  /// x W' x W) transposed. Resizing and blurring are of this kind; products of matrices are far faster than sampling at
  /// single points.
  static func separable(_ images: Tensor, rows: Tensor, columns: Tensor) -> Tensor {
    let shape = images.shape
    let (n, c, h) = (shape[0], shape[1], shape[2])
    var x = images.contiguous().reshaped(n, c * h, shape[3]).matmul(columns.transposed())
    x = x.reshaped(n, c, h, columns.dimension(1))
    return rows.unsqueezed(1).matmul(x)
  }

  /// Cuts a box out of each image and resizes it, as Pillow's and torchvision's `resized_crop` with antialiasing:
  /// pixels outside the box never count.
  /// - Parameters:
  ///   - boxes: top, left, height and width of each box in pixels: N x 4, each box inside its image.
  ///   - size: height and width of the result.
  public static func resizedCrop(
    _ images: Tensor, boxes: Tensor, size: (height: Int, width: Int), filter: ResampleFilter
  ) -> Tensor {
    let boxes = boxes.to(images.dtype, images.device)
    func matrices(first: Tensor, length: Tensor, _ source: Int, _ target: Int) -> Tensor {
      let first = first.reshaped(-1, 1, 1)
      let length = length.reshaped(-1, 1, 1)
      let position = Tensor.arange(source, dtype: images.dtype, device: images.device).reshaped(1, 1, -1)
      let output = Tensor.arange(target, dtype: images.dtype, device: images.device).reshaped(1, -1, 1)
      let step = length / Double(target)
      var w = position + 0.5 - first - (output + 0.5) * step
      w = filter.weights(w / step.clamped(min: 1))
      w = w * ((position .>= first) .& (position .< first + length)).to(images.dtype)
      return w / w.sum([2], keep: true)
    }
    let shape = images.shape
    let x = separable(
      images, rows: matrices(first: boxes.selected(1, 0), length: boxes.selected(1, 2), shape[2], size.height),
      columns: matrices(first: boxes.selected(1, 1), length: boxes.selected(1, 3), shape[3], size.width))
    return x.clamped(0, 1)
  }

  /// Gaussian blur with one standard deviation (in pixels, above 0) per image and a kernel of `2 radius + 1` pixels;
  /// borders are mirrored. As torchvision's `gaussian_blur`.
  public static func gaussianBlur(_ images: Tensor, sigma: Tensor, radius: Int) -> Tensor {
    let shape = images.shape
    require(
      radius < min(shape[2], shape[3]), "gaussianBlur: a radius of \(radius) pixels is too large for \(images.summary)")
    let sigma = sigma.to(images.dtype, images.device).reshaped(-1, 1, 1)
    func weights(_ distance: Tensor) -> Tensor {
      let w = (-0.5 * (distance / sigma).square()).exp()
      return w * (distance.abs() .<= Double(radius)).to(w.dtype)
    }
    let total = weights(
      Tensor.arange(-radius..<(radius + 1), dtype: images.dtype, device: images.device).reshaped(1, 1, -1)
    ).sum(
      [2], keep: true)
    func matrices(_ size: Int) -> Tensor {
      let position = Tensor.arange(size, dtype: images.dtype, device: images.device)
      let from = position.reshaped(1, 1, -1)
      let to = position.reshaped(1, -1, 1)
      let last = Double(size - 1)
      // A pixel counts where it lies and at its mirror images beyond both borders; pixels on a border have no mirror
      // image there.
      var w = weights(from - to)
      w = w + weights(from + to) * (from .> 0).to(w.dtype)
      w = w + weights(2 * last - from - to) * (from .< last).to(w.dtype)
      return w / total
    }
    let rows = matrices(shape[2])
    return separable(images, rows: rows, columns: shape[2] == shape[3] ? rows : matrices(shape[3])).clamped(0, 1)
  }
}
