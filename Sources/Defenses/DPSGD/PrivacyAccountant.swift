// What an observer of differentially private training can learn of one sample: (epsilon, delta) by Renyi differential
// privacy of the sampled Gaussian mechanism (Mironov, Talwar, Zhang: Renyi Differential Privacy of the Sampled Gaussian
// Mechanism, 2019, section 3.3).
//
// For every order alpha, A = E[((1 - q) + q exp((2z - 1) / (2 sigma^2)))^alpha] over z ~ N(0, sigma^2), and a step costs
// log A / (alpha - 1). The expectation is integrated by the trapezoid rule, which for such smooth functions is exact to
// rounding: one formula for whole and fractional orders.

import Foundation

public struct PrivacyAccountant: Sendable {
  /// Probability that a step uses a sample.
  public var rate: Double
  /// Standard deviation of the noise in units of the clipping bound.
  public var noise: Double

  public init(rate: Double, noise: Double) { (self.rate, self.noise) = (rate, noise) }

  /// 1.1 to 10.9, and whole numbers to 63: those that Opacus looks at.
  static let orders = (1..<100).map { 1 + Double($0) / 10 } + (12..<64).map(Double.init)

  /// What one step costs at an order above 1.
  public func renyi(_ order: Double) -> Double {
    if rate <= 0 { return 0 }
    if noise <= 0 { return .infinity }
    let variance = noise * noise
    // Without sampling: what it is at rate 1, and a bound at any. The integral would take a million points for so little
    // noise, whose epsilon means nothing.
    if rate >= 1 || noise < 0.02 { return order / (2 * variance) }
    let step = noise / 16
    let first = Int((-40 * noise / step).rounded(.down))
    let last = Int(((order + 40 * noise) / step).rounded(.up))
    let logs = (first...last).map { index -> Double in
      let z = Double(index) * step
      let (a, b) = (log1p(-rate), log(rate) + (2 * z - 1) / (2 * variance))
      let sum = max(a, b) + log1p(exp(-abs(a - b)))
      return order * sum - z * z / (2 * variance)
    }
    let largest = logs.max() ?? 0
    let integral = largest + log(logs.reduce(0) { $0 + exp($1 - largest) } * step)
    return max(0, (integral - log(noise * (2 * .pi).squareRoot())) / (order - 1))
  }

  /// The smallest epsilon over all orders after so many steps.
  /// - Parameter classic: the conversion of the first accountants, RDP + log(1 / delta) / (alpha - 1), in place of the
  ///   sharper one of Balle et al. (2020), theorem 21, which Opacus uses.
  public func epsilon(steps: Int, delta: Double, classic: Bool = false) -> Double {
    if steps == 0 { return 0 }
    let all = Self.orders.map { order -> Double in
      let cost = renyi(order) * Double(steps)
      if classic { return cost - log(delta) / (order - 1) }
      return cost - (log(delta) + log(order)) / (order - 1) + log((order - 1) / order)
    }
    return max(0, all.min() ?? .infinity)
  }
}
