import Glibc
public import Torch

extension ImageOps {
  /// Turns each image about its centre by an angle in degrees, counter-clockwise; what comes from outside the image is
  /// 0.
  public static func rotated(_ images: Tensor, degrees: Tensor, mode: F.Interpolation = .bilinear) -> Tensor {
    let shape = images.shape
    let aspect = Double(shape[3]) / Double(shape[2])
    let angle = degrees.to(.float32, images.device) * (Double.pi / 180)
    let (cosine, sine) = (angle.cos(), angle.sin())
    let zero = Tensor.zeros(like: angle)
    // Where a pixel of the result comes from, in coordinates from -1 to 1 on both axes.
    let theta = Tensor.stacked([cosine, sine * (-1 / aspect), zero, sine * aspect, cosine, zero], 1).reshaped(-1, 2, 3)
    return F.gridSample(images, F.affineGrid(theta, shape).to(images.dtype), mode: mode)
  }
}

/// Turns images by a random angle in [-degrees, degrees].
public struct RandomRotation: Augmentation {
  public let degrees: Double
  public let mode: F.Interpolation

  public init(degrees: Double, mode: F.Interpolation = .bilinear) {
    require(degrees >= 0, "RandomRotation: \(degrees) degrees are negative")
    self.degrees = degrees
    self.mode = mode
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let angles = generator.uniform(images.dimension(0), in: -degrees...degrees, on: images.device)
    return ImageOps.rotated(images, degrees: angles, mode: mode).clamped(0, 1)
  }
}
