public import Torch

/// Scales each channel by a number in (0, 1) that two layers make of all channels' means (Hu et al.,
/// Squeeze-and-Excitation Networks, 2018), with SiLU between them. Keys fc1, fc2: 1x1 convolutions, as TorchVision's
/// `SqueezeExcitation` has them.
public final class SqueezeExcitation: Module, Layer {
  let fc1: Conv2d
  let fc2: Conv2d

  public init(_ channels: Int, squeezed: Int, _ generator: Generator) {
    fc1 = Conv2d(channels, squeezed, kernel: 1, generator)
    fc2 = Conv2d(squeezed, channels, kernel: 1, generator)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor { x * fc2(F.silu(fc1(F.adaptiveAvgPool2d(x, 1, 1)))).sigmoid() }
}
