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

  /// Stamps stored images: N x C x H x W, uint8 to uint8, rounding halves to even. Triggers that touch few pixels do
  /// less work here.
  func stamp(_ images: Tensor, _ generator: Generator) -> Tensor
}

extension Trigger {
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { self(images.unitPixels(), generator).quantized() }
  }
}

/// No trigger: the control in which labels alone are changed.
public struct NoTrigger: Trigger {
  public init() {}
  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { images }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor { images }
}
