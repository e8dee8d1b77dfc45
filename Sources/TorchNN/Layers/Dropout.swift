public import Torch

/// Dropout with its own random stream. A training loop gives every epoch its seed (`Module.reseedDropout`), so that a
/// resumed run draws what an undisturbed one draws.
public final class Dropout: Module, Layer {
  public let p: Double
  private var stream: RandomStream

  public init(_ p: Double, seed: UInt64 = 0) {
    require((0..<1).contains(p), "Dropout: p = \(p) is not in [0, 1)")
    self.p = p
    stream = RandomStream(seed)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard isTraining, p > 0 else { return x }
    return F.dropout(x, p: p, generator: stream.generator(on: x.device))
  }
}

/// Leaves out whole samples of a residual branch while training (Huang et al., Deep Networks with Stochastic Depth,
/// 2016): each one with probability `p`, and the rest is scaled by 1/(1-p), as TorchVision's `StochasticDepth` in mode
/// `row`. Its random stream is like that of `Dropout`.
public final class StochasticDepth: Module, Layer {
  public let p: Double
  private var stream: RandomStream

  public init(_ p: Double, seed: UInt64 = 0) {
    require((0..<1).contains(p), "StochasticDepth: p = \(p) is not in [0, 1)")
    self.p = p
    stream = RandomStream(seed)
  }

  /// - Parameter x: the branch, N x ...
  public func callAsFunction(_ x: Tensor) -> Tensor {
    guard isTraining, p > 0 else { return x }
    let shape = [x.dimension(0)] + [Int](repeating: 1, count: x.rank - 1)
    let ones = Tensor.ones(shape, device: x.device)
    return x * F.dropout(ones, p: p, generator: stream.generator(on: x.device)).to(x.dtype)
  }

  fileprivate func reseed(_ seed: UInt64) { stream = RandomStream(seed) }
}

/// A generator that is made on the device of its first use.
private struct RandomStream {
  private let seed: UInt64
  private var generator: Generator?

  init(_ seed: UInt64) { self.seed = seed }

  mutating func generator(on device: Device) -> Generator {
    let found = generator.flatMap { $0.device == device ? $0 : nil } ?? Generator(seed: seed, device: device)
    generator = found
    return found
  }
}

extension Dropout {
  fileprivate func reseed(_ seed: UInt64) { stream = RandomStream(seed) }
}

extension Module {
  /// Starts the random streams of all layers that draw anew; each layer gets its own.
  public func reseedDropout(_ seed: UInt64) {
    for (index, entry) in modules().enumerated() {
      (entry.module as? Dropout)?.reseed(seed &+ UInt64(index))
      (entry.module as? StochasticDepth)?.reseed(seed &+ UInt64(index))
    }
  }
}
