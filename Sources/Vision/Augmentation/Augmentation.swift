public import Torch

/// A random change of a batch of images: N x C x H x W floats in [0, 1], on any device, with an independent draw for each image.
///
/// The draws come from `generator` alone, always the same number of them for the same shape. Results lie in [0, 1] again.
public protocol Augmentation: Sendable {
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor
}

/// Augmentations one after another.
public struct Compose: Augmentation {
  public let steps: [any Augmentation]
  public init(_ steps: [any Augmentation]) { self.steps = steps }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    var x = images
    for step in steps { x = step(x, generator) }
    return x
  }

  /// The views of contrastive learning (Chen et al., SimCLR, 2020, appendix A) with the values of the decoupled-training paper: random
  /// resized crop of .2 to 1, bicubic; flip; colour jitter .4, .4, .4, .1 with p = .8; grayscale .2; blur with radius .1 to 2 and p = .5.
  public static func contrastive() -> Compose {
    Compose([
      RandomResizedCrop(scale: 0.2...1, filter: .bicubic), HorizontalFlip(),
      ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, p: 0.8), RandomGrayscale(p: 0.2),
      GaussianBlur(sigma: 0.1...2, p: 0.5),
    ])
  }
}

/// Image operations with given factors, one number per image: what the random augmentations apply. N x C x H x W floats in [0, 1];
/// factors are float vectors of N. Differentiable in the images.
public enum ImageOps {
  /// A vector of N as N x 1 x 1 x 1.
  static func perImage(_ factors: Tensor, _ images: Tensor) -> Tensor { factors.to(images.dtype, images.device).reshaped(-1, 1, 1, 1) }
}

extension Generator {
  /// Uniform numbers from the range, a vector of `count` on `device`.
  func uniform(_ count: Int, in range: ClosedRange<Double>, on device: Device) -> Tensor {
    uniform([count], range.lowerBound, range.upperBound).to(device)
  }
  /// True with probability `p`: a vector of `count` on `device`.
  func chance(_ count: Int, p: Double, on device: Device) -> Tensor { (uniform([count]) .< p).to(device) }
}

/// Images from `changed` where the draw of the image is true, from `images` elsewhere.
func choose(_ draws: Tensor, _ changed: Tensor, else images: Tensor) -> Tensor {
  Tensor.where(draws.reshaped(-1, 1, 1, 1), changed, images)
}
