/// SplitMix64 (Steele, Lea and Flood 2014): one word of state, so every image can afford a stream of its own.
///
/// The standard library's `random(in:)` does not promise the same values from one release to the next. Everything here
/// is integer arithmetic and exact floating-point steps, so a seed means the same images on every platform.
struct GeneratedRandom: Sendable {
  private var state: UInt64

  /// A stream named by three numbers; changing any of them gives an unrelated stream.
  init(seed: UInt64, stream: UInt64, index: UInt64) {
    var key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    key = Self.mix((key ^ stream) &+ 0xD1B5_4A32_D192_ED03)
    state = Self.mix((key ^ index) &+ 0x8CB9_2BA7_2F3D_8DD7)
  }

  /// The finaliser of SplitMix64: a bijection of 64-bit words in which every input bit reaches every output bit.
  static func mix(_ word: UInt64) -> UInt64 {
    var z = word
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// Uniform in [0, 1), a multiple of 2^-24: exactly representable, so no rounding is involved.
  mutating func unit() -> Float {
    Float(next() >> 40) * 0x1p-24
  }

  /// Uniform in [low, high).
  mutating func uniform(_ low: Float, _ high: Float) -> Float {
    low + (high - low) * unit()
  }

  /// Uniform in 0..<bound by the high half of a product; the bias, below bound / 2^64, is of no account here.
  mutating func index(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  mutating func chance(_ probability: Float) -> Bool {
    unit() < probability
  }

  /// Approximately standard normal: the sum of twelve uniform numbers less six, which needs no logarithm and ends at
  /// +-6.
  mutating func gaussian() -> Float {
    var sum: UInt64 = 0
    for _ in 0..<3 {
      let word = next()
      sum += (word & 0xFFFF) + ((word >> 16) & 0xFFFF) + ((word >> 32) & 0xFFFF) + (word >> 48)
    }
    // Twelve 16-bit numbers have the mean 12 * 65535 / 2.
    return (Float(sum) - 393_210) * 0x1p-16
  }

  /// A permutation of 0..<count (Fisher-Yates).
  mutating func permutation(count: Int) -> [Int] {
    var order = Array(0..<count)
    var last = count - 1
    while last > 0 {
      order.swapAt(last, index(below: last + 1))
      last -= 1
    }
    return order
  }
}
