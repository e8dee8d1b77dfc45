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
    let first = Self.rounded(poisoned, of: count)
    let second = min(count, first + covers(first))
    (self.poisoned, self.covers, clean) = (0..<first, first..<second, second..<count)
  }

  /// The images of a share that cannot be empty, as the last batch of an epoch may be small.
  public static func count(_ share: Double, of count: Int) -> Int { max(1, rounded(share, of: count)) }

  /// 0.29 * 100 is a little less than 29.
  private static func rounded(_ share: Double, of count: Int) -> Int {
    min(count, Int((share * Double(count) + 1e-9).rounded(.down)))
  }
}

extension AttackContext {
  /// - Throws: `BackdoorError` where a share of a batch is no image.
  public func checkBatch(_ setting: String, _ share: Double) throws(BackdoorError) {
    let batch = min(recipe.batch, train.count)
    guard BatchShares(of: batch, poisoned: share, covers: { _ in 0 }).poisoned.isEmpty else { return }
    throw .invalid(
      "\(setting) \(share) is no image of a batch of \(batch). Raise it to at least "
        + "\((1 / Double(batch) * 1e4).rounded(.up) / 1e4), or take larger batches (recipe.batch).")
  }
}
