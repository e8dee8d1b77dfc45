/// Draws whose results depend on the generator's numbers alone.
///
/// The standard library may change how `shuffle` or `Int.random` consume a generator, and the C library's logarithm
/// differs between platforms in its last bit. These use neither, so that a seed gives the same samples everywhere and
/// always.
extension RandomNumberGenerator {
  /// A number from [0, 1): the top 53 bits of one draw, divided by 2^53.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A number from [lower, upper).
  public mutating func uniform(_ lower: Double, _ upper: Double) -> Double {
    let value = lower + (upper - lower) * uniform()
    return value < upper ? value : lower  // Rounding may reach the upper end.
  }

  /// A number from the standard normal distribution, by Marsaglia's polar method; takes two draws or more.
  public mutating func normal() -> Double {
    while true {
      let u = 2 * uniform() - 1
      let v = 2 * uniform() - 1
      let s = u * u + v * v
      if s > 0, s < 1 { return u * (-2 * PortableMath.log(s) / s).squareRoot() }
    }
  }

  /// A number from the normal distribution with the given mean and standard deviation.
  public mutating func normal(mean: Double, deviation: Double) -> Double { mean + deviation * normal() }

  /// A whole number from 0 to `bound - 1`, every one equally likely (Lemire 2019: multiply, and draw again where it
  /// would be biased).
  /// - Precondition: `bound` is positive.
  public mutating func integer(below bound: Int) -> Int {
    precondition(bound > 0, "integer(below:) needs a positive bound, not \(bound).")
    let range = UInt64(bound)
    let threshold = (0 &- range) % range
    while true {
      let (high, low) = next().multipliedFullWidth(by: range)
      if low >= threshold { return Int(high) }
    }
  }

  /// Puts the elements in random order (Fisher-Yates, from the end).
  public mutating func shuffle<Element>(_ elements: inout [Element]) {
    for i in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(i, integer(below: i + 1)) }
  }

  /// The numbers 0 to `count - 1` in random order.
  /// - Precondition: `count` is not negative.
  public mutating func permutation(_ count: Int) -> [Int] {
    var result = Array(0..<count)
    shuffle(&result)
    return result
  }

  /// `k` different numbers from 0 to `n - 1`, in the order drawn or sorted; the same seed gives the same set in both.
  /// - Precondition: `0 <= k <= n`.
  public mutating func sample(_ k: Int, of n: Int, sorted: Bool = false) -> [Int] {
    precondition(k >= 0 && k <= n, "sample(_:of:) cannot draw \(k) of \(n) without replacement.")
    var pool = Array(0..<n)
    for i in 0..<k { pool.swapAt(i, i + integer(below: n - i)) }
    let drawn = Array(pool.prefix(k))
    return sorted ? drawn.sorted() : drawn
  }

  /// `k` different elements, in the order drawn.
  /// - Precondition: `k` is at most the number of elements.
  public mutating func sample<Element>(_ k: Int, from elements: [Element]) -> [Element] {
    sample(k, of: elements.count).map { elements[$0] }
  }
}

/// Functions made of additions, multiplications and divisions alone, which IEEE 754 defines to the bit.
enum PortableMath {
  /// The natural logarithm of a positive normal number, within one unit in the last place; the method of FreeBSD's
  /// `e_log.c`.
  static func log(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var f = x.significand - 1  // x = 2^exponent * (1 + f), with f brought near zero:
    if x.significand > 1.4142135623730951 {
      exponent += 1
      f = x.significand / 2 - 1
    }
    let s = f / (2 + f)
    let z = s * s
    let w = z * z
    let even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332))
    let odd =
      z
      * (0.6666666666666735130 + w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)))
    let half = 0.5 * f * f
    let low = s * (half + even + odd) + exponent * 1.90821492927058770002e-10
    return exponent * 6.93147180369123816490e-01 - ((half - low) - f)
  }
}
