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
  public static func tanh() -> Lambda { Lambda { $0.tanh() } }
  public static func maxPool(kernel: Int, stride: Int? = nil, padding: Int = 0) -> Lambda {
    Lambda { F.maxPool2d($0, kernel: kernel, stride: stride, padding: padding) }
  }
}

/// Dropout with its own random stream. A training loop gives every epoch its seed (`Module.reseedDropout`), so that a
/// resumed run draws what an undisturbed one draws.
public final class Dropout: Module, Layer {
  public let p: Double
  private var generator: Generator?
  private var seed: UInt64

  public init(_ p: Double, seed: UInt64 = 0) {
    require((0..<1).contains(p), "Dropout: p = \(p) is not in [0, 1)")
    self.p = p
    self.seed = seed
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard isTraining, p > 0 else { return x }
    let stream = generator.flatMap { $0.device == x.device ? $0 : nil } ?? Generator(seed: seed, device: x.device)
    generator = stream
    return F.dropout(x, p: p, generator: stream)
  }

  func reseed(_ seed: UInt64) {
    self.seed = seed
    generator = nil
  }
}

extension Module {
  /// Starts the random streams of all dropout layers anew; each layer gets its own.
  public func reseedDropout(_ seed: UInt64) {
    for (index, entry) in modules().enumerated() { (entry.module as? Dropout)?.reseed(seed &+ UInt64(index)) }
  }
}
