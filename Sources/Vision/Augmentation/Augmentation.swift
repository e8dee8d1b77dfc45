public import Torch

/// A random change of a batch of images: N x C x H x W floats in [0, 1], on any device, with an independent draw for
/// each image.
///
/// The draws come from `generator` alone, always the same number of them for the same shape. Results lie in [0, 1]
/// again.
public protocol Augmentation: Sendable {
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor
}

/// Image operations with given factors, one number per image: what the random augmentations apply. N x C x H x W floats
/// in [0, 1]; factors are float vectors of N. Differentiable in the images.
public enum ImageOps {
  /// A vector of N as N x 1 x 1 x 1.
  static func perImage(_ factors: Tensor, _ images: Tensor) -> Tensor {
    factors.to(images.dtype, images.device).reshaped(-1, 1, 1, 1)
  }
}

extension Generator {
  /// Uniform numbers from the range, a vector of `count` on `device`.
  func uniform(_ count: Int, in range: ClosedRange<Double>, on device: Device) -> Tensor {
    uniform([count], range.lowerBound, range.upperBound).to(device)
  }
}

/// Images from `changed` where the draw of the image is true, from `images` elsewhere.
func choose(_ draws: Tensor, _ changed: Tensor, else images: Tensor) -> Tensor {
  Tensor.where(draws.reshaped(-1, 1, 1, 1), changed, images)
}
