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
  public static func maxPool(kernel: Int, stride: Int? = nil, padding: Int = 0) -> Lambda {
    Lambda { F.maxPool2d($0, kernel: kernel, stride: stride, padding: padding) }
  }
}
