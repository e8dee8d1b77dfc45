public import Torch

/// A training set in two: samples whose labels are believed, because their loss is small, and the others.
public struct CredibleSplit {
  /// Positions with the smallest losses, int64, the smallest first; of equal losses the earlier sample is the more credible.
  public let credible: Tensor
  /// All other positions, int64.
  public let other: Tensor
  /// The loss of each sample, float N.
  public let losses: Tensor

  /// - Parameter share: of all samples that are believed, over the whole set and not within classes; rounded down.
  public init(losses: Tensor, share: Double) {
    require((0...1).contains(share), "CredibleSplit: a share of \(share) is not in 0 ... 1")
    let order = noGrad { losses.detach().argsort() }
    let count = Int(share * Double(losses.count))
    credible = order[0..<count]
    other = order[count..<losses.count]
    self.losses = losses.detach()
  }

  /// The largest loss that is believed; nil where none is. Waits for the device.
  public var threshold: Double? { credible.count == 0 ? nil : losses[credible[(credible.count - 1)..<credible.count]].item() }

  /// Means of the losses on both sides, scalars; 0 where a side is empty.
  public func means() -> (credible: Tensor, other: Tensor) {
    func mean(_ side: Tensor) -> Tensor { side.count == 0 ? Tensor(0, device: losses.device) : losses[side].mean() }
    return noGrad { (mean(credible), mean(other)) }
  }
}
