// Vanilla adversarial training of a suspect model on a few clean images: parts C + D of the SAU paper's ablation
// (section 4.3, table 5, figure 3; settings as SAU's, appendix C.2). The same engine as SAU with the usual inner and
// outer problem, so that the two differ in their objectives alone. With a target it learns from perturbations towards
// that class, on the samples of the others (appendix A.5, equation 17).

public import Backdoor
import Support

public struct VanillaAdversarialTraining: Defense, UnlearningDefaults, PerturbationSearching {
  public static let id = "vanilla-at"
  public static let summary = "Adversarial training of the suspect model on clean images (ablation C+D of SAU)."
  public static let paper = "Madry et al. 2018; as in Wei et al. 2023, table 5"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]
  public static let epochCost = 4.0
  public static let inner = SharedAdversary.Objective.vanilla
  public static let outer = SharedAdversarialUnlearning.Outer.vanilla

  public typealias Configuration = UnlearningSettings<VanillaAdversarialTraining>

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public var search: SharedAdversarialUnlearning.Configuration { configuration.search }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try AdversarialUnlearning(configuration, stage: Self.id).run(input)
  }
}
