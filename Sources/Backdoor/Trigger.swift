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

  /// What the trigger consists of, to be looked at: a patch, a mask, a warped grid. Empty where its effect on images
  /// says all.
  /// - Parameter images: pixel images for which parts are wanted that differ by image.
  func parts(of images: Tensor) -> [TriggerPart]
}

/// A part of a trigger as a picture.
public struct TriggerPart {
  /// In a word or two, for readers: "mask", "pattern".
  public let name: String
  /// In [0, 1]: N x C x H x W, one picture an image, or 1 x C x H x W where it is the same for all.
  public let pictures: Tensor

  public init(_ name: String, _ pictures: Tensor) {
    self.name = name
    self.pictures = pictures
  }
}

extension Trigger {
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { self(images.unitPixels(), generator).quantized() }
  }
  public func parts(of images: Tensor) -> [TriggerPart] { [] }
}

/// No trigger: the control in which labels alone are changed.
public struct NoTrigger: Trigger {
  public init() {}
  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor { images }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor { images }
}
