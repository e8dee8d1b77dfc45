// Vanilla adversarial training of a suspect model on a few clean images: parts C + D of the SAU paper's ablation (table 5, figure 3).
// The same engine as SAU with the usual inner and outer problem, so that the two differ in the idea alone.

public import Backdoor
import Support

public struct VanillaAdversarialTraining: Defense {
  public static let id = "vanilla-at"
  public static let summary = "Adversarial training of the suspect model on clean images (ablation C+D of SAU)."
  public static let paper = "Madry et al. 2018; as in Wei et al. 2023, table 5"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public struct Configuration: AdversarialUnlearningSettings {
    public var epochs = 100
    public var batch = 256
    public var learningRate = 1e-4
    public var amsgrad = true
    public var weightDecay = 0.0
    public var norm = Norm.linf
    public var radius = 0.2
    public var steps = 5
    public var stepSize = 0.2
    public var stepRule = SharedAdversary.StepRule.sign
    public var start = SharedAdversary.Start.max
    public var universal = false
    public var target: Int? = nil
    public var clamp = false
    public var inner = SharedAdversary.Objective.vanilla
    public var outer = SharedAdversarialUnlearning.Outer.vanilla
    public var lambda1 = 1.0
    public var lambda2 = 1.0
    public var lambda3 = 0.01
    public var lambda4 = 1.0
    public var adversarialWeight = 0.0
    public init() {}
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome { try AdversarialUnlearning(configuration, stage: Self.id).run(input) }
}
