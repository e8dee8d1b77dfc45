public import Backdoor
public import Support
import Torch

/// The threats by name, for settings.
public enum ThreatName: String, Codable, Sendable, CaseIterable {
  case linf, l2, l1, spatial, perceptual
  case gaussianNoise = "gaussian-noise"
  case randomSpatial = "random-spatial"

  /// What people read under pictures.
  var title: String {
    switch self {
    case .linf: "L_inf"
    case .l2: "L2"
    case .l1: "L1"
    case .spatial: "spatial"
    case .perceptual: "perceptual"
    case .gaussianNoise: "Gaussian noise"
    case .randomSpatial: "random spatial"
    }
  }
}

/// Settings of every threat: a configuration holds them all, and names those that it uses.
public protocol ThreatSettings {
  var linf: LpSettings { get }
  var l2: LpSettings { get }
  var l1: LpSettings { get }
  var spatial: SpatialSettings { get }
  var perceptual: PerceptualSettings { get }
  var gaussianNoise: GaussianNoiseSettings { get }
  var randomSpatial: RandomSpatialSettings { get }
}

extension ThreatSettings {
  func threat(_ name: ThreatName) -> any ThreatModel {
    switch name {
    case .linf: linf.threat(LinfBall(radius: linf.radius))
    case .l2: l2.threat(L2Ball(radius: l2.radius))
    case .l1: l1.threat(L1Ball(radius: l1.radius, share: l1.share))
    case .spatial: spatial.threat
    case .perceptual: perceptual.threat
    case .gaussianNoise: GaussianNoise(deviation: gaussianNoise.sigma)
    case .randomSpatial: RandomSpatial(randomSpatial.kind, sigma: randomSpatial.sigma)
    }
  }

  static var threatSettings: [Setting] {
    [
      Setting("linf", "Projected gradient descent in an L_inf ball.", nested: LpSettings.self),
      Setting("l2", "Projected gradient descent in an L2 ball.", nested: LpSettings.self),
      Setting("l1", "Projected gradient descent in an L1 ball.", nested: LpSettings.self),
      Setting("spatial", "Pixels move, their values stay (stAdv).", nested: SpatialSettings.self),
      Setting("perceptual", "A ball in the space of the model's own features.", nested: PerceptualSettings.self),
      Setting("gaussianNoise", "Random noise, nothing adversarial.", nested: GaussianNoiseSettings.self),
      Setting("randomSpatial", "Random transformations, nothing adversarial.", nested: RandomSpatialSettings.self),
    ]
  }
}

/// Spatial transformations by first-order steps.
public struct SpatialSettings: Configurable {
  public var bound = 0.025
  public var steps = 20
  public var learningRate = 0.01
  public var smoothness = 0.0025
  public var start = SpatialThreat.Start.zero
  public var loss = AttackLoss.margin

  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "bound", "Largest displacement on each axis: .025 is .4 pixels at 32 x 32.", unit: "half image sizes", range: 0...2,
      source: "paper: .025 to .1, .025 in CAT"),
    Setting(
      "steps", "Adam steps; fewer with a learning rate nearer the bound are faster and somewhat weaker.", unit: "steps",
      range: 0...1000, source: "authors' code: 20"),
    Setting(
      "learningRate", "Adam's learning rate, about the length of its first steps.", unit: "half image sizes", range: 0...2,
      source: "authors' code: .01"),
    Setting(
      "smoothness", "Weight of the flow's roughness against the margin, times the bound.", range: 0...1000, source: "authors' code: .0025"),
    Setting("start", "Where the search starts.", choices: SpatialThreat.Start.allCases.map(\.rawValue), source: "authors' code: zero"),
    Setting("loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue), source: "authors' code: margin"),
  ]

  var threat: SpatialThreat {
    SpatialThreat(bound: bound, steps: steps, learningRate: learningRate, smoothness: smoothness, start: start, loss: loss)
  }
}

/// A ball of the perceptual distance, by the fast Lagrangian attack.
public struct PerceptualSettings: Configurable {
  public var bound = 0.5
  public var steps = 10
  public var startDeviation = 0.01
  public var projections = 0
  public var loss = AttackLoss.margin

  public init() {}

  public static let settings: [Setting] = [
    Setting("bound", "Largest distance in the model's normalised features.", range: 0...1000, source: "paper: .1 to .5"),
    Setting(
      "steps", "Gradient steps, two forward passes each.", unit: "steps", range: 1...1000, source: "Laidlaw et al. 2021: 10 in training"),
    Setting(
      "startDeviation", "Standard deviation of the noise that the search starts from.", unit: "pixels in [0,1]", range: 0...1,
      source: "Laidlaw et al.'s code"),
    Setting(
      "projections", "Bisections that bring the result inside the bound; 0 trusts the rising penalty.", unit: "forward passes",
      range: 0...64,
      source: "Laidlaw et al. 2021: none in training"),
    Setting("loss", "What the search makes large.", choices: AttackLoss.allCases.map(\.rawValue), source: "Laidlaw et al. 2021: margin"),
  ]

  var threat: PerceptualThreat {
    PerceptualThreat(bound: bound, steps: steps, startDeviation: startDeviation, projections: projections, loss: loss)
  }
}

/// Gaussian noise on the pixels.
public struct GaussianNoiseSettings: Configurable {
  public var sigma = 0.1
  public init() {}
  public static let settings: [Setting] = [
    Setting("sigma", "Standard deviation.", unit: "pixels in [0,1]", range: 0...10, source: "paper, table 1: .05 to .2")
  ]
}

/// Random spatial transformations.
public struct RandomSpatialSettings: Configurable {
  public var sigma = 0.1
  public var kind = RandomSpatial.Kind.uniform
  public init() {}
  public static let settings: [Setting] = [
    Setting("sigma", "Size of the displacements.", unit: "half image sizes", range: 0...2, source: "paper, table 1: .05 to .2"),
    Setting(
      "kind", "A flow that is uniform or normal at each pixel, or one affine map per image.",
      choices: RandomSpatial.Kind.allCases.map(\.rawValue), source: "the paper does not say: uniform, decided here"),
  ]
}

/// Two threats together.
public struct CompositionSettings: Configurable {
  public enum Order: String, Codable, Sendable, CaseIterable {
    /// The second works on what the first made.
    case firstThenSecond = "first-then-second"
    case secondThenFirst = "second-then-first"
  }

  public var first = ThreatName.spatial
  public var second = ThreatName.linf
  public var order = Order.firstThenSecond
  public var joint = false
  public var jointLoss = AttackLoss.margin

  public init() {}

  public static let settings: [Setting] = [
    Setting("first", "One threat.", choices: ThreatName.allCases.map(\.rawValue), source: "paper: spatial"),
    Setting("second", "The other threat.", choices: ThreatName.allCases.map(\.rawValue), source: "paper: linf"),
    Setting(
      "order", "Which of the two changes the images first; the other works around what came out.",
      choices: Order.allCases.map(\.rawValue), source: "the paper does not say: decided here"),
    Setting(
      "joint", "Search both at once, a pass through the model serving both, instead of one after the other.",
      source: "the paper does not say: off, decided here"),
    Setting("jointLoss", "What a joint search makes large.", choices: AttackLoss.allCases.map(\.rawValue), source: "decided here"),
  ]

  /// The two in the order in which they change the images.
  var ordered: (ThreatName, ThreatName) { order == .firstThenSecond ? (first, second) : (second, first) }

  var title: String { joint ? "\(ordered.0.title) and \(ordered.1.title) jointly" : "\(ordered.0.title), then \(ordered.1.title)" }

  /// - Parameter key: of these settings, for errors.
  func threat(of settings: any ThreatSettings, _ key: String) throws(DefenseError) -> CompositeThreat {
    guard first != second else {
      throw .invalid("\(key).second \(second.rawValue): that is the first threat again. Name another one, or train with the one alone.")
    }
    let (one, two) = (settings.threat(ordered.0), settings.threat(ordered.1))
    if joint, let random = zip([ordered.0, ordered.1], [one, two]).first(where: { !($0.1 is any IterativeThreat) }) {
      throw .invalid("\(key).joint true: \(random.0.rawValue) is drawn, not searched. Set it to false, or choose another threat.")
    }
    return CompositeThreat(one, two, joint: joint ? jointLoss : nil)
  }
}
