import Vision
public import Torch

/// Turns clean images into triggered ones.
public protocol Trigger: Sendable {
  /// Stamps pixel images.
  /// - Parameters:
  ///   - images: N x C x H x W, float, [0, 1]; left as they are.
  ///   - generator: for triggers that draw (noise, a random place); closed forms ignore it.
  /// - Returns: the same shape, in [0, 1].
  func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor

  /// Stamps stored images: N x C x H x W, uint8 to uint8, rounding halves to even. Triggers that touch few pixels do less work here.
  func stamp(_ images: Tensor, _ generator: Generator) -> Tensor
}

extension Trigger {
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { self(images.unitPixels(), generator).quantized() }
  }

  /// Stamps stored images some at a time, so that the intermediate floats stay in the CPU's cache.
  func stampInChunks(_ images: Tensor, _ generator: Generator, chunk: Int) -> Tensor {
    guard images.dimension(0) > chunk else { return stamp(images, generator) }
    return noGrad {
      let out = Tensor.empty(images.shape, dtype: .uint8, device: images.device)
      for start in stride(from: 0, to: images.dimension(0), by: chunk) {
        let range = start..<min(start + chunk, images.dimension(0))
        out[range].copy_(stamp(images[range], generator))
      }
      return out
    }
  }
}

/// No trigger: the control in which labels alone are changed.
public struct NoTrigger: Trigger {
  public init() {}
  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { images }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor { images }
}
