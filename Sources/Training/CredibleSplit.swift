public import Torch

/// A training set in two: samples whose labels are believed, because their loss is small, and the others.
public struct CredibleSplit {
  /// Positions with the smallest losses, int64, the smallest first; of equal losses the earlier sample is the more
  /// credible.
  public let credible: Tensor
  /// All other positions, int64.
  public let other: Tensor
  /// The loss of each sample, float N.
  public let losses: Tensor
  /// The largest loss that is believed; nil where none is, and where each class has its own.
  public let threshold: Double?

  /// - Parameters:
  ///   - losses: float N.
  ///   - share: of all samples that are believed, rounded down.
  ///   - labels: the given labels, int64 N, to believe this share of each class, rounded down; nil takes the smallest
  ///     losses of the whole set, whatever their classes.
  public init(losses: Tensor, share: Double, within labels: Tensor? = nil) {
    require((0...1).contains(share), "CredibleSplit: a share of \(share) is not in 0 ... 1")
    self.losses = losses.detach()
    let order = noGrad { losses.detach().argsort() }
    guard let labels else {
      let count = Int(share * Double(losses.count))
      credible = order[0..<count]
      other = order[count..<losses.count]
      threshold = count == 0 ? nil : self.losses[order[(count - 1)..<count]].item()
      return
    }
    let given = labels.array(Int64.self)
    var left = Dictionary(grouping: given, by: { $0 }).mapValues { Int(share * Double($0.count)) }
    var (believed, rest): ([Int64], [Int64]) = ([], [])
    for position in order.array(Int64.self) {
      let label = given[Int(position)]
      if left[label, default: 0] > 0 {
        left[label, default: 0] -= 1
        believed.append(position)
      } else {
        rest.append(position)
      }
    }
    credible = Tensor(believed).to(losses.device)
    other = Tensor(rest).to(losses.device)
    threshold = nil
  }

  /// Means of the losses on both sides, scalars; 0 where a side is empty.
  public func means() -> (credible: Tensor, other: Tensor) {
    func mean(_ side: Tensor) -> Tensor { side.count == 0 ? Tensor(0, device: losses.device) : losses[side].mean() }
    return noGrad { (mean(credible), mean(other)) }
  }
}
