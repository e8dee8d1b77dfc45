/// SplitMix64 (Steele, Lea, Flood 2014): one 64-bit state; it fills the states of better generators from one number.
public struct SplitMix64: RandomNumberGenerator, Sendable, Hashable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// xoshiro256** 1.0 (Blackman, Vigna 2018): the generator for sampling in Swift. Not for secrets.
public struct Xoshiro256StarStar: RandomNumberGenerator, Sendable, Hashable {
  private var s0, s1, s2, s3: UInt64

  /// A generator whose state is the first four numbers of `SplitMix64(seed:)`, as its authors advise.
  public init(seed: UInt64) {
    var filler = SplitMix64(seed: seed)
    self.init(state: (filler.next(), filler.next(), filler.next(), filler.next()))
  }

  init(state: (UInt64, UInt64, UInt64, UInt64)) { (s0, s1, s2, s3) = state }

  public mutating func next() -> UInt64 {
    let result = Self.rotate(s1 &* 5, 7) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = Self.rotate(s3, 45)
    return result
  }

  private static func rotate(_ x: UInt64, _ bits: UInt64) -> UInt64 { (x << bits) | (x >> (64 - bits)) }
}
