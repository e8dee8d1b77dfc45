public import Torch

/// A layer without parameters, from a function.
public final class Lambda: Module, Layer {
  private let body: (Tensor) -> Tensor
  public init(_ body: @escaping (Tensor) -> Tensor) { self.body = body }
  public func callAsFunction(_ x: Tensor) -> Tensor { body(x) }
}

/// Constructors for the layers that have neither parameters nor modes.
extension Lambda {
  public static func relu() -> Lambda { Lambda { $0.relu() } }
  public static func leakyReLU(_ slope: Double = 0.01) -> Lambda { Lambda { F.leakyReLU($0, slope: slope) } }
  public static func relu6() -> Lambda { Lambda { $0.clamped(0, 6) } }
  public static func gelu() -> Lambda { Lambda { F.gelu($0) } }
  public static func silu() -> Lambda { Lambda { F.silu($0) } }
  public static func tanh() -> Lambda { Lambda { $0.tanh() } }
}

/// Max-pooling of N x C x H x W. With kernel and stride 1 it changes nothing, and a map that is smaller than the kernel
/// passes unchanged.
public final class MaxPool2d: Module, Layer {
  /// Pixels. The padding is at most half of the kernel.
  public var kernel: Int
  public var stride: Int
  public var padding: Int

  public init(kernel: Int, stride: Int? = nil, padding: Int = 0) {
    self.kernel = kernel
    self.stride = stride ?? kernel
    self.padding = padding
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard kernel > 1 || stride > 1, min(x.dimension(-1), x.dimension(-2)) + 2 * padding >= kernel else { return x }
    return F.maxPool2d(x, kernel: kernel, stride: stride, padding: padding)
  }
}
