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
  var linf: LinfThreat { get }
  var l2: L2Threat { get }
  var l1: L1Threat { get }
  var spatial: SpatialThreat { get }
  var perceptual: PerceptualThreat { get }
  var gaussianNoise: GaussianNoise { get }
  var randomSpatial: RandomSpatial { get }
}

extension ThreatSettings {
  func threat(_ name: ThreatName) -> any ThreatModel {
    switch name {
    case .linf: linf
    case .l2: l2
    case .l1: l1
    case .spatial: spatial
    case .perceptual: perceptual
    case .gaussianNoise: gaussianNoise
    case .randomSpatial: randomSpatial
    }
  }

  static var threatSettings: [Setting] {
    [
      Setting("linf", "Projected gradient descent in an L_inf ball.", nested: LinfThreat.self),
      Setting("l2", "Projected gradient descent in an L2 ball.", nested: L2Threat.self),
      Setting("l1", "Projected gradient descent in an L1 ball.", nested: L1Threat.self),
      Setting("spatial", "Pixels move, their values stay (stAdv).", nested: SpatialThreat.self),
      Setting("perceptual", "A ball in the space of the model's own features.", nested: PerceptualThreat.self),
      Setting("gaussianNoise", "Random noise, nothing adversarial.", nested: GaussianNoise.self),
      Setting("randomSpatial", "Random transformations, nothing adversarial.", nested: RandomSpatial.self),
    ]
  }
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
    Setting(
      "jointLoss", "What a joint search makes large.", choices: AttackLoss.allCases.map(\.rawValue),
      source: "decided here"),
  ]

  /// The two in the order in which they change the images.
  var ordered: (ThreatName, ThreatName) { order == .firstThenSecond ? (first, second) : (second, first) }

  var title: String {
    joint ? "\(ordered.0.title) and \(ordered.1.title) jointly" : "\(ordered.0.title), then \(ordered.1.title)"
  }

  /// - Parameter key: of these settings, for errors.
  func threat(of settings: any ThreatSettings, _ key: String) throws(DefenseError) -> CompositeThreat {
    guard first != second else {
      throw .invalid(
        "\(key).second \(second.rawValue): that is the first threat again. Name another one, or train with the one "
          + "alone."
      )
    }
    let (one, two) = (settings.threat(ordered.0), settings.threat(ordered.1))
    if joint, let random = zip([ordered.0, ordered.1], [one, two]).first(where: { !($0.1 is any IterativeThreat) }) {
      throw .invalid(
        "\(key).joint true: \(random.0.rawValue) is drawn, not searched. Set it to false, or choose another threat.")
    }
    return CompositeThreat(one, two, joint: joint ? jointLoss : nil)
  }
}
