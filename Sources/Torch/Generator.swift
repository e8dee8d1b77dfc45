import CTorch

/// A stream of random numbers on one device. Randomness is always an argument: nothing in this package reads a global
/// generator. The same seed gives the same numbers on the same kind of device.
public final class Generator {
  let handle: CTGenerator
  public let device: Device

  public init(seed: UInt64, device: Device = .cpu) {
    guard let handle = ct_generator(device.type, device.index, seed) else {
      trap("Generator", [], file: #file, line: #line)
    }
    self.handle = handle
    self.device = device
  }
  deinit { ct_generator_release(handle) }

  public func reseed(_ seed: UInt64) { done(ct_generator_seed(handle, seed), "reseed") }

  /// All of the stream's state, as a uint8 tensor: what a checkpoint keeps.
  public var state: Tensor {
    get { made(ct_generator_state(handle), "Generator.state") }
    set { done(ct_generator_set_state(handle, newValue.handle), "Generator.state", [newValue]) }
  }

  /// Uniform numbers in [0, 1).
  public func uniform(_ shape: Shape, dtype: DType = .float32) -> Tensor {
    made(shape.withSizes { ct_rand($0, $1, handle, dtype.rawValue, device.type, device.index) }, "uniform")
  }
  /// Uniform numbers in [low, high), up to rounding: of wide ranges the largest may be high itself.
  public func uniform(_ shape: Shape, _ low: Double, _ high: Double, dtype: DType = .float32) -> Tensor {
    uniform(shape, dtype: dtype) * (high - low) + low
  }
  /// Standard normal numbers.
  public func normal(_ shape: Shape, dtype: DType = .float32) -> Tensor {
    made(shape.withSizes { ct_randn($0, $1, handle, dtype.rawValue, device.type, device.index) }, "normal")
  }
  /// int64 integers from the range.
  public func integers(_ range: Range<Int>, _ shape: Shape) -> Tensor {
    made(
      shape.withSizes {
        ct_randint(Int64(range.lowerBound), Int64(range.upperBound), $0, $1, handle, device.type, device.index)
      },
      "integers")
  }
  /// A random order of 0 ..< n, int64.
  public func permutation(_ n: Int) -> Tensor {
    made(ct_randperm(Int64(n), handle, device.type, device.index), "permutation")
  }
  /// `count` indices drawn with the given weights.
  public func multinomial(_ weights: Tensor, count: Int, replacement: Bool = false) -> Tensor {
    made(ct_multinomial(weights.handle, Int64(count), replacement, handle), "multinomial", [weights])
  }
}
