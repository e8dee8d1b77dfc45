public import Torch

/// Blurs images with probability `p` each, with a standard deviation drawn from `sigma`.
public struct GaussianBlur: Augmentation {
  /// Standard deviation in pixels; some libraries call it the radius.
  public let sigma: ClosedRange<Double>
  /// Side of the kernel in pixels, odd; wide enough for three of the largest standard deviations when nil.
  public let kernel: Int?
  public let p: Double

  public init(sigma: ClosedRange<Double> = 0.1...2, kernel: Int? = nil, p: Double = 0.5) {
    require(sigma.lowerBound > 0, "GaussianBlur: sigma \(sigma) is not positive")
    require((kernel ?? 1) % 2 == 1, "GaussianBlur: the kernel must have an odd side, not \(kernel ?? 1)")
    self.sigma = sigma
    self.kernel = kernel
    self.p = p
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let shape = images.shape
    let changed = generator.chance(shape[0], p: p, on: images.device)
    let sigmas = generator.uniform(shape[0], in: sigma, on: images.device)
    let radius = kernel.map { $0 / 2 } ?? min(Int((3 * sigma.upperBound).rounded(.up)), shape[2] - 1, shape[3] - 1)
    return choose(changed, ImageOps.gaussianBlur(images, sigma: sigmas, radius: radius), else: images)
  }
}
