public import Backdoor
public import Torch
public import Vision

/// `clip(x + t, 0, 1)`.
public struct AddedPattern: Trigger {
  /// C x H x W, in pixels; may be negative.
  public let pattern: [Float]
  public let shape: ImageShape

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let pattern = Tensor(pattern, shape: [1, shape.channels, shape.height, shape.width]).to(images.device).to(
      images.dtype)
    return (images + pattern).clamped(0, 1)
  }
}
