import Glibc
public import Torch

/// Resizes a random part of each image, as torchvision's `RandomResizedCrop`: ten tries for an area and a ratio that
/// fit, else the largest part in the middle whose ratio is allowed.
public struct RandomResizedCrop: Augmentation {
  /// Side of the result in pixels; the image's own size when nil.
  public let size: Int?
  /// Area of the part, as a share of the image.
  public let scale: ClosedRange<Double>
  /// Width / height of the part.
  public let ratio: ClosedRange<Double>
  public let filter: ResampleFilter

  public init(
    size: Int? = nil, scale: ClosedRange<Double> = 0.2...1, ratio: ClosedRange<Double> = (3.0 / 4)...(4.0 / 3),
    filter: ResampleFilter = .bilinear
  ) {
    require(scale.lowerBound > 0 && scale.upperBound <= 1, "RandomResizedCrop: scale \(scale) is not within (0, 1]")
    require(ratio.lowerBound > 0, "RandomResizedCrop: ratio \(ratio) is not positive")
    self.size = size
    self.scale = scale
    self.ratio = ratio
    self.filter = filter
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let shape = images.shape
    let boxes = boxes(shape[0], height: shape[2], width: shape[3], generator)
    return ImageOps.resizedCrop(images, boxes: boxes, size: (size ?? shape[2], size ?? shape[3]), filter: filter)
  }

  /// Top, left, height and width of `count` random parts: count x 4, whole numbers as float32.
  func boxes(_ count: Int, height: Int, width: Int, _ generator: Generator) -> Tensor {
    let tries = 10
    let draws = generator.uniform([2, count, tries])
    let area = (draws[0] * (scale.upperBound - scale.lowerBound) + scale.lowerBound) * Double(height * width)
    let (low, high) = (log(ratio.lowerBound), log(ratio.upperBound))
    let aspect = (draws[1] * (high - low) + low).exp()
    let w = (area * aspect).sqrt().round()
    let h = (area / aspect).sqrt().round()
    let fits = (w .>= 1) .& (w .<= Double(width)) .& (h .>= 1) .& (h .<= Double(height))
    // The first try that fits: argmax of a vector that falls from there on.
    let order = Tensor.arange(tries, dtype: .float32, device: generator.device)
    let first = (fits.to(.float32) * (Double(tries) - order)).argmax(1, keep: true)
    let any = fits.any(1)
    let middle = fallback(height: height, width: width)
    let boxWidth = Tensor.where(
      any, w.gathered(1, first).squeezed(1), Tensor(Double(middle.width), device: generator.device))
    let boxHeight = Tensor.where(
      any, h.gathered(1, first).squeezed(1), Tensor(Double(middle.height), device: generator.device))
    // Places from 0 to the free room, each equally likely; the middle where no try fits.
    let place = generator.uniform([2, count])
    func start(_ draw: Tensor, _ free: Tensor) -> Tensor {
      Tensor.where(any, (draw * (free + 1)).floor().minimum(free), (free / 2).floor())
    }
    return Tensor.stacked(
      [start(place[0], Double(height) - boxHeight), start(place[1], Double(width) - boxWidth), boxHeight, boxWidth], 1)
  }

  private func fallback(height: Int, width: Int) -> (height: Int, width: Int) {
    let own = Double(width) / Double(height)
    if own < ratio.lowerBound { return (Int((Double(width) / ratio.lowerBound).rounded()), width) }
    if own > ratio.upperBound { return (height, Int((Double(height) * ratio.upperBound).rounded())) }
    return (height, width)
  }
}
