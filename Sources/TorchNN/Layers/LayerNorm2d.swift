public import Torch

/// Layer normalisation over the channels of each pixel: N x C x H x W, as TorchVision's `LayerNorm2d`.
public final class LayerNorm2d: Module, Layer {
  @Parameter public var weight: Tensor
  @Parameter public var bias: Tensor
  public var eps: Double

  public init(_ channels: Int, eps: Double = 1e-6) {
    weight = Tensor.ones([channels])
    bias = Tensor.zeros([channels])
    self.eps = eps
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    F.layerNorm(x.permuted(0, 2, 3, 1), shape: weight.shape, weight: weight, bias: bias, eps: eps).permuted(0, 3, 1, 2)
  }
}
