// Adversarial training on poisoned data (Gao et al., On the Effectiveness of Adversarial Training against Backdoor
// Attacks, 2022, section 3): a model that must be right on changed images cannot rely on a trigger that the change
// destroys. Which change decides: L_p balls and perceptual balls destroy triggers over the whole image (Blended,
// WaNet), spatial transformations patches (BadNets, label-consistent); random changes of the same cost in accuracy
// leave far more of the trigger (table 1).
//
// Default threat: L_inf 8/255, the middle of the paper's range. Recipe: the paper's, ResNet-18 trained by SGD .1 over
// 100 epochs. Label smoothing, which the paper does not have, is for the outer minimisation alone: the search climbs
// the threat's loss of the labels as they are.

public import Backdoor
public import Support
public import Training

public struct AdversarialTraining: Defense {
  public static let id = "at"
  public static let summary =
    "Trains on adversarial images: in a norm's ball, warped, perceptual, two of them together, or random ones."
  public static let paper = "Gao et al. 2022, On the Effectiveness of Adversarial Training against Backdoor Attacks"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]
  public static let epochCost = 7.2

  public enum Threat: String, Codable, Sendable, CaseIterable {
    case linf, l2, l1, spatial, perceptual
    case gaussianNoise = "gaussian-noise"
    case randomSpatial = "random-spatial"
    /// Two of the others.
    case composite
  }

  public struct Configuration: Configurable, ThreatSettings {
    public var threat = Threat.linf
    public var linf = LinfThreat(radius: 8.0 / 255)
    public var l2 = L2Threat(radius: 256.0 / 255)
    public var l1 = L1Threat(radius: 12)
    public var spatial = SpatialThreat()
    public var perceptual = PerceptualThreat()
    public var gaussianNoise = GaussianNoise()
    public var randomSpatial = RandomSpatial()
    public var composite = CompositionSettings()
    public var recipe = Recipe.adversarial
    public init() {}
    public static let settings: [Setting] =
      [Setting("threat", "What the images are changed by.", choices: Threat.allCases.map(\.rawValue))]
      + threatSettings + [
        Setting("composite", "Two threats together, with the settings above.", nested: CompositionSettings.self),
        Setting("recipe", "How the model is trained.", source: "paper", nested: Recipe.self),
      ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (threat, title): (any ThreatModel, String)
    if let name = ThreatName(rawValue: configuration.threat.rawValue) {
      (threat, title) = (configuration.threat(name), name.title)
    } else {
      threat = try configuration.composite.threat(of: configuration, "defense.composite")
      title = configuration.composite.title
    }
    return try AdversarialTrainer(threat: threat, title: title, recipe: configuration.recipe, stage: Self.id).run(input)
  }
}
