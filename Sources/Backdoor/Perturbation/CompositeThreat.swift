// Two threats together (composite adversarial training, Gao et al. 2022, section 4). The paper does not say how they
// are put together; here the second works on what the first made of the images [decided here]: with a spatial first and
// an L_inf second, the ball is around the warped image. `joint` searches both at once instead: one forward and one
// backward pass a step for the two.

public import Torch

public struct CompositeThreat: ThreatModel {
  public var first: any ThreatModel
  public var second: any ThreatModel
  /// What a joint search climbs; nil searches one after the other, each with its own loss.
  public var joint: AttackLoss?

  /// - Parameter joint: only for threats that climb, both `IterativeThreat`. The search takes as many steps as the
  ///   longer of the two.
  public init(_ first: any ThreatModel, _ second: any ThreatModel, joint: AttackLoss? = nil) {
    require(
      joint == nil || (first is any IterativeThreat && second is any IterativeThreat),
      "CompositeThreat: a joint search needs two threats that climb a loss, not \(type(of: first)) and "
        + "\(type(of: second))"
    )
    self.first = first
    self.second = second
    self.joint = joint
  }

  public func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor {
    guard let joint, let one = first as? any IterativeThreat, let two = second as? any IterativeThreat else {
      let changed = first.search(images, attacked, generator).detach().contiguous(.channelsLast)
      return second.search(changed, attacked, generator)
    }
    let steps = max(one.steps, two.steps)
    let searches = [one, two].map { $0.begin(images, attacked, generator, steps: steps) }
    return ascend(searches, steps: steps, loss: joint, images, attacked)
  }
}
