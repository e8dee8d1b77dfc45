public import Support

/// A ball of a norm, by projected gradient descent.
public struct LpSettings: Configurable {
  public var radius = 8.0 / 255
  public var steps = 10
  public var step = 0.25
  public var start = LpThreat.Start.random
  public var loss = AttackLoss.crossEntropy
  public var share = 0.01

  public init() {}
  public init(radius: Double) { self.radius = radius }

  public static let settings: [Setting] = [
    Setting(
      "radius", "Size of the ball in its norm.", unit: "pixels in [0,1]", range: 0...10_000,
      source: "paper: linf 4/255 to 16/255, 2/255 in CAT; l2 64/255 to 512/255; l1 decided here"),
    Setting("steps", "Gradient steps; one is enough for a small ball.", unit: "steps", range: 0...1000, source: "decided here: 10"),
    Setting("step", "Length of a step, as a share of the radius.", unit: "fraction", range: 0...100, source: "paper's toolbox: 1/4"),
    Setting("start", "Where the search starts.", choices: LpThreat.Start.allCases.map(\.rawValue), source: "random: Madry et al. 2018"),
    Setting(
      "loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue), source: "cross-entropy: Madry et al. 2018"),
    Setting(
      "share", "Of l1 alone: share of the coordinates that a step moves; 0 moves one.", unit: "fraction", range: 0...1,
      source: "Tramer and Boneh 2019"),
  ]

  public func threat(_ ball: any PerturbationSet) -> LpThreat {
    LpThreat(ball, steps: steps, stepSize: radius * step, start: start, loss: loss)
  }
}
