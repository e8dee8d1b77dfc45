// Composite adversarial training (CAT; Gao et al. 2022, section 4): the images are changed spatially, against triggers
// in a patch, and in an L_inf ball, against triggers over the whole image, so that nobody needs to know which one the
// data hold.
//
// Budgets of the paper: spatial .025, L_inf 2/255. It does not say how the two are put together: here the warp comes
// first and the ball is around the warped image; the other order and a joint search are settings. Other pairs (section
// 5, figure 5: L2 + spatial, perceptual + spatial, L_inf + perceptual) by name.
//
// Paper, CIFAR-10, ResNet-18: accuracy 81 to 82%, attack success 0.2 to 5.5% over seven attacks.
//
// On a CPU: 20 spatial and 10 L_inf steps cost some twenty times what standard training does. A ball of 2/255 is left
// with one step, the flow reaches its bound in two: `spatial.steps` 2 with `spatial.learningRate` .0125, `linf.steps` 1
// with `linf.step` 1, and a one-cycle `recipe` of some 15 epochs cost 2.5 times as much an epoch. What that leaves of
// the protection has to be measured.

public import Backdoor
public import Support
public import Training

public struct CompositeAdversarialTraining: Defense {
  public static let id = "cat"
  public static let summary =
    "Composite adversarial training: on images that are warped and perturbed within an L_inf ball."
  public static let paper =
    "Gao et al. 2022, On the Effectiveness of Adversarial Training against Backdoor Attacks, section 4"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]
  public static let epochCost = 17.8

  public struct Configuration: Configurable, ThreatSettings {
    public var composite = CompositionSettings()
    public var linf = LinfThreat(radius: 2.0 / 255)
    public var l2 = L2Threat(radius: 64.0 / 255)
    public var l1 = L1Threat(radius: 4)
    public var spatial = SpatialThreat()
    public var perceptual = PerceptualThreat()
    public var gaussianNoise = GaussianNoise()
    public var randomSpatial = RandomSpatial()
    public var recipe = Recipe.adversarial
    public init() {}
    public static let settings: [Setting] =
      [Setting("composite", "The two threats and how they are put together.", nested: CompositionSettings.self)]
      + threatSettings + [Setting("recipe", "How the model is trained.", source: "paper", nested: Recipe.self)]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let threat = try configuration.composite.threat(of: configuration, "defense.composite")
    return try AdversarialTrainer(
      threat: threat, title: configuration.composite.title, recipe: configuration.recipe, stage: Self.id
    )
    .run(input)
  }
}
