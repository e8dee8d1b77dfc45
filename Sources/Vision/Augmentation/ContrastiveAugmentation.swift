public import Torch

/// The augmentation of contrastive learning (Chen et al., SimCLR, 2020, appendix A) with the values of the
/// decoupled-training paper, straight from the uint8 data set: random resized crop, flip, colour jitter, grayscale,
/// blur, each image with draws of its own (the order of the four colour changes is the batch's).
///
/// All draws come first; on the CPU one kernel then makes each image in cache, which takes a small part of the training
/// step instead of half of it; elsewhere the operations of `ImageOps` follow each other.
public struct ContrastiveAugmentation: Augmentation {
  /// Side of the results in pixels; the image's own size when nil.
  public var size: Int? = nil
  /// Smallest area of the crop, as a share of the image.
  public var smallestCrop = 0.2
  public var filter = ResampleFilter.bicubic
  /// Probability of mirroring.
  public var flip = 0.5
  /// Strengths of the colour jitter: factors of brightness, contrast and saturation are uniform in [max(0, 1 - x), 1 +
  /// x], the shift of the hue in [-hue, hue], as a share of the colour circle.
  public var brightness = 0.4
  public var contrast = 0.4
  public var saturation = 0.4
  public var hue = 0.1
  /// Probability that the colours change at all.
  public var jitter = 0.8
  public var grayscale = 0.2
  public var blur = 0.5
  /// Standard deviation of the blur in pixels.
  public var sigma: ClosedRange<Double> = 0.1...2

  public init() {}

  /// Augmented rows of a data set.
  /// - Parameters:
  ///   - images: N x C x H x W, uint8 or float in [0, 1].
  ///   - indices: int64 B, on the device of the images; an index may occur more than once and is then drawn for anew.
  /// - Returns: float B x C x size x size in [0, 1].
  public func gather(images: Tensor, indices: Tensor, _ generator: Generator) -> Tensor {
    let shape = images.shape
    let (draws, order) = draw(indices.count, height: shape[2], width: shape[3], generator)
    let fast = images.device == .cpu && (images.dtype == .uint8 || images.dtype == .float32) && !images.requiresGrad
    guard fast else { return compose(images, indices, draws.to(images.device), order) }
    let (height, width) = (size ?? shape[2], size ?? shape[3])
    return F.contrastiveAugmentation(
      images, indices, draws: draws.to(.cpu), order: order.to(.cpu), height: height, width: width,
      bicubic: filter == .bicubic,
      radius: radius(height, width))
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    gather(images: images, indices: Tensor.arange(images.dimension(0), device: images.device), generator)
  }

  /// All numbers of a batch: B x 12 as `F.contrastiveAugmentation` takes them, and the order of the colour changes.
  func draw(_ count: Int, height: Int, width: Int, _ generator: Generator) -> (draws: Tensor, order: Tensor) {
    let boxes = RandomResizedCrop(scale: smallestCrop...1, filter: filter).boxes(
      count, height: height, width: width, generator)
    let chances = generator.uniform([count, 4])
    let uniform = generator.uniform([count, 5])
    let order = generator.permutation(4)
    func happens(_ column: Int, _ p: Double) -> Tensor {
      (chances.narrowed(1, column..<(column + 1)) .< p).to(.float32)
    }
    func between(_ column: Int, _ low: Double, _ high: Double) -> Tensor {
      uniform.narrowed(1, column..<(column + 1)) * (high - low) + low
    }
    func factor(_ column: Int, _ strength: Double) -> Tensor { between(column, max(0, 1 - strength), 1 + strength) }
    let draws = Tensor.concatenated(
      [
        boxes, happens(0, flip), happens(1, jitter), factor(0, brightness), factor(1, contrast), factor(2, saturation),
        between(3, -hue, hue), happens(2, grayscale), happens(3, blur) * between(4, sigma.lowerBound, sigma.upperBound),
      ], 1)
    return (draws, order)
  }

  /// The same by single operations, for every device.
  func compose(_ images: Tensor, _ indices: Tensor, _ draws: Tensor, _ order: Tensor) -> Tensor {
    func column(_ index: Int) -> Tensor { draws.selected(1, index) }
    func chosen(_ index: Int) -> Tensor { column(index) .> 0 }
    var x = images[indices]
    if !x.dtype.isFloatingPoint { x = x.unitPixels() }
    let shape = x.shape
    let (height, width) = (size ?? shape[2], size ?? shape[3])
    x = ImageOps.resizedCrop(x, boxes: draws.narrowed(1, 0..<4), size: (height, width), filter: filter)
    x = choose(chosen(4), x.flipped(3), else: x)
    var colored = x
    for change in order.array(Int64.self) {
      switch change {
      case 0: colored = ImageOps.brightness(colored, column(6))
      case 1: colored = ImageOps.contrast(colored, column(7))
      case 2: colored = ImageOps.saturation(colored, column(8))
      default: colored = ImageOps.hue(colored, column(9))
      }
    }
    x = choose(chosen(5), colored, else: x)
    x = choose(chosen(10), ImageOps.grayscale(x), else: x)
    let blurred = ImageOps.gaussianBlur(
      x, sigma: column(11).clamped(min: sigma.lowerBound), radius: radius(height, width))
    return choose(chosen(11), blurred, else: x).contiguous(.channelsLast)
  }

  /// Three of the largest standard deviations, where the image is large enough.
  private func radius(_ height: Int, _ width: Int) -> Int {
    min(Int((3 * sigma.upperBound).rounded(.up)), height - 1, width - 1)
  }
}
