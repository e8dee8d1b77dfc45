/// The weight of the mask's size in the search for one class's trigger, as the authors of Neural Cleanse balance it: it
/// rises while the trigger works and falls while it does not. It also knows the smallest mask that worked, and when to
/// stop.
public struct CostSchedule: Equatable, Sendable {
  /// The settings.
  public struct Rule: Equatable, Sendable {
    public var initial = 1e-3
    public var zeroStart = true
    public var patience = 5
    public var multiplier = 2.0
    public var success = 0.99
    public var stopPatience = 25
    public var stopThreshold = 1.0
    public init() {}
  }

  public private(set) var cost: Double
  /// The smallest mean norm of an epoch in which the trigger worked; infinite before there was one.
  public private(set) var best = Double.infinity
  public private(set) var isStopped = false
  private var (set, up, down, stale) = (0, 0, 0, 0)
  private var (wentUp, wentDown) = (false, false)
  private var seen = Double.infinity

  public init(_ rule: Rule) { cost = rule.zeroStart ? 0 : rule.initial }

  /// Looks at an epoch.
  /// - Parameters:
  ///   - success: share of the images that the trigger sent to the class.
  ///   - norm: L1 norm of the mask, a mean over the epoch.
  /// - Returns: whether this is the smallest mask so far that worked.
  public mutating func update(success: Double, norm: Double, _ rule: Rule) -> Bool {
    let worked = success >= rule.success
    let isBest = worked && norm < best
    if isBest { best = norm }
    if best.isFinite { stale = best >= rule.stopThreshold * seen ? stale + 1 : 0 }
    seen = min(seen, best)
    if wentUp, wentDown, stale >= rule.stopPatience {
      isStopped = true
      return isBest
    }
    adjust(worked, rule)
    return isBest
  }

  private mutating func adjust(_ worked: Bool, _ rule: Rule) {
    if cost == 0, worked {
      set += 1
      if set >= rule.patience { (cost, up, down, wentUp, wentDown) = (rule.initial, 0, 0, false, false) }
    } else {
      set = 0
    }
    (up, down) = worked ? (up + 1, 0) : (0, down + 1)
    if up >= rule.patience {
      up = 0
      cost *= rule.multiplier
      wentUp = true
    } else if down >= rule.patience {
      down = 0
      // Faster down than up: a trigger that does not work says nothing about its size.
      cost /= rule.multiplier * rule.multiplier.squareRoot()
      wentDown = true
    }
  }

  /// All of it as numbers, for a checkpoint.
  var numbers: [Double] {
    [
      cost, best, isStopped ? 1 : 0, Double(set), Double(up), Double(down), Double(stale), wentUp ? 1 : 0,
      wentDown ? 1 : 0, seen,
    ]
  }
  init(numbers n: [Double]) {
    (cost, best, isStopped, seen) = (n[0], n[1], n[2] == 1, n[9])
    (set, up, down, stale) = (Int(n[3]), Int(n[4]), Int(n[5]), Int(n[6]))
    (wentUp, wentDown) = (n[7] == 1, n[8] == 1)
  }
}
