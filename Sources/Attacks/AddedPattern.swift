public import Backdoor
public import Torch
public import Vision

/// `clip(x + t, 0, 1)`.
public struct AddedPattern: Trigger {
  /// C x H x W, in pixels; may be negative.
  public let pattern: [Float]
  public let shape: ImageShape

  private func tensor(on device: Device) -> Tensor {
    Tensor(pattern, shape: [1, shape.channels, shape.height, shape.width]).to(device)
  }
  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    (images + tensor(on: images.device).to(images.dtype)).clamped(0, 1)
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { F.blendBytes(images, scale: 1, overlay: tensor(on: images.device) * 255) }
  }
  /// The pattern around middle gray, as strong as it can be shown.
  public func parts(of images: Tensor) -> [TriggerPart] {
    let pattern = tensor(on: .cpu)
    return [TriggerPart("pattern, strengthened", pattern * (0.5 / max(pattern.abs().max().item(), 1e-9)) + 0.5)]
  }
}
