import Training
import Vision

/// How an attack that controls training divides a batch: images with the trigger and the target's label, then cover
/// samples, then clean images. The order of a batch is random, so the first images are any.
public struct BatchShares: Sendable, Equatable {
  public let poisoned: Range<Int>
  public let covers: Range<Int>
  public let clean: Range<Int>

  /// - Parameters:
  ///   - poisoned: share of the batch, in [0, 1]; rounded down, as published code does.
  ///   - covers: number of cover samples for so many poisoned ones; cut where the batch ends.
  public init(of count: Int, poisoned: Double, covers: (_ poisoned: Int) -> Int) {
    let first = min(count, Self.whole(poisoned, of: count))
    let second = min(count, first + covers(first))
    (self.poisoned, self.covers, clean) = (0..<first, first..<second, second..<count)
  }

  /// The images of a share that has no fewer than `least`, as the last batch of an epoch may be small; never more than
  /// there are.
  public static func count(_ share: Double, of count: Int, least: Int = 1) -> Int {
    min(count, max(least, whole(share, of: count)))
  }

  /// A share of a number, or so many times it, rounded down: 0.29 * 100, a little less than 29 in floating point, is 29.
  public static func whole(_ share: Double, of count: Int) -> Int {
    Int((share * Double(count) + 1e-9).rounded(.down))
  }
}

extension AttackContext {
  /// - Parameter least: images that the share has to be of a batch: 2 where they pass a network with BatchNorm by
  ///   themselves.
  /// - Throws: `BackdoorError` where it is fewer.
  public func checkBatch(_ setting: String, _ share: Double, least: Int = 1) throws(BackdoorError) {
    let batch = min(recipe.batch, train.count)
    let count = min(batch, BatchShares.whole(share, of: batch))
    guard count < least else { return }
    let found = count == 0 ? "no image" : "\(count) image\(count == 1 ? "" : "s")"
    throw .invalid(
      "\(setting) \(share) is \(found) of a batch of \(batch)\(least > 1 ? ", and \(least) are needed" : ""). Raise it to "
        + "at least \((Double(least) / Double(batch) * 1e4).rounded(.up) / 1e4), or take larger batches (recipe.batch)."
    )
  }
}
