public import Torch

/// 2-D convolution. Input N x in x H x W, weight out x in/groups x k x k.
public final class Conv2d: Module, Layer {
  @Parameter public var weight: Tensor
  public let bias: Bias?
  public var stride: Int
  public let padding: Int
  public let groups: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1, bias: Bool = true,
    _ generator: Generator
  ) {
    let fanIn = inputs / groups * kernel * kernel
    weight = Initialization.uniform([outputs, inputs / groups, kernel, kernel], fanIn: fanIn, generator)
    self.bias = bias ? Bias(Initialization.uniform([outputs], fanIn: fanIn, generator)) : nil
    self.stride = stride
    self.padding = padding
    self.groups = groups
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    LayerTrace.noting(
      self, x, F.conv2d(x, weight, bias?.wrappedValue, stride: stride, padding: padding, groups: groups))
  }
}

/// An optional parameter: a layer may go without its bias.
public typealias Bias = Parameter
extension Parameter {
  convenience init(_ tensor: Tensor) { self.init(wrappedValue: tensor) }
}

/// Transposed 2-D convolution. Weight in x out/groups x k x k.
public final class ConvTranspose2d: Module, Layer {
  @Parameter public var weight: Tensor
  public let bias: Bias?
  public let stride: Int
  public let padding: Int
  public let outputPadding: Int

  public init(
    _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    bias: Bool = true,
    _ generator: Generator
  ) {
    let fanIn = outputs * kernel * kernel
    weight = Initialization.uniform([inputs, outputs, kernel, kernel], fanIn: fanIn, generator)
    self.bias = bias ? Bias(Initialization.uniform([outputs], fanIn: fanIn, generator)) : nil
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    F.convTranspose2d(x, weight, bias?.wrappedValue, stride: stride, padding: padding, outputPadding: outputPadding)
  }
}

/// `x W^T + b`; weight out x in.
public final class Linear: Module, Layer {
  @Parameter public var weight: Tensor
  public let bias: Bias?

  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, _ generator: Generator) {
    weight = Initialization.uniform([outputs, inputs], fanIn: inputs, generator)
    self.bias = bias ? Bias(Initialization.uniform([outputs], fanIn: inputs, generator)) : nil
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    LayerTrace.noting(self, x, F.linear(x, weight, bias?.wrappedValue))
  }
}
