import Foundation

/// Learning rates over time, as functions of a step number (an epoch or an optimizer step: whoever steps decides).
/// Values equal those of PyTorch's schedulers after the same number of `step()` calls.
public enum Schedule: Sendable, Hashable {
  /// Multiplies the rate by `gamma` at each milestone.
  case multiStep(milestones: [Int], gamma: Double = 0.1)
  /// Half a cosine from the base rate to `minimum` over `period` steps; going on past the period it rises again, as
  /// PyTorch's does.
  case cosine(period: Int, minimum: Double = 0)
  /// From base / `divisor` up to the base rate in the share `warmup` of all `steps`, then down to base / `divisor` /
  /// `finalDivisor`.
  case oneCycle(steps: Int, warmup: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 1e4)

  /// The learning rate at a step, from 0.
  public func rate(at step: Int, base: Double) -> Double {
    switch self {
    case .multiStep(let milestones, let gamma):
      return base * pow(gamma, Double(milestones.count { $0 <= step }))
    case .cosine(let period, let minimum):
      return minimum + (base - minimum) * (1 + cos(.pi * Double(step) / Double(max(period, 1)))) / 2
    case .oneCycle(let steps, let warmup, let divisor, let finalDivisor):
      let low = base / divisor
      let peak = warmup * Double(steps) - 1
      let end = Double(steps - 1)
      let now = min(Double(step), end)
      func between(_ from: Double, _ to: Double, _ share: Double) -> Double {
        to + (from - to) / 2 * (1 + cos(.pi * share))
      }
      if now <= peak { return between(low, base, peak > 0 ? now / peak : 1) }
      return between(base, low / finalDivisor, end > peak ? (now - peak) / (end - peak) : 1)
    }
  }
}
