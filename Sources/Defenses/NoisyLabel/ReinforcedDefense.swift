// The meta-algorithm's output, SPL-AT, PRL-AT and Bootstrap-AT, and its ablations (tables 1 to 3 and 5 to 8 of the
// noisy-label paper).
//
// Published (CIFAR-10, ResNet-32, patch, eps .25, 100 epochs, mean of the last 10): clean / poison accuracy PRL 78.6 /
// 45.9, PRL-AT 78.2 / 78.1, SPL-AT 68.5 / 22.2, Bootstrap-AT 81.9 / 2.8, AT alone 64.0 / 64.0. PRL is the rule to start
// with. The learning rate matters as much as the method: a large one learns the trigger before the filter can tell.

public import Backdoor
public import Support
public import Training

/// A noisy-label algorithm made robust against backdoors: `<rule>-at`.
public struct ReinforcedDefense<Rule: NoisyLabelAlgorithm>: Defense {
  public static var id: String { "\(Rule.id)-at" }
  public static var summary: String { "\(Rule.title)-AT: \(Rule.idea), from adversarially perturbed images." }
  public static var paper: String { "Defending Backdoor Attacks via Robustness against Noisy Label, algorithm 1" }
  public static var stage: DefenseStage { .training }
  public static var requires: Set<Resource> { [.poisonedTrain] }
  public static var epochCost: Double { 1.9 }

  public struct Configuration: Configurable {
    public var rule = Rule()
    public var variant = RuleVariant.both
    public var adversary = FastGradientSign()
    public var recipe = Recipe.noisyLabelOneCycle
    public init() {}
    public static var settings: [Setting] {
      [
        .rule(Rule.self),
        Setting(
          "variant",
          "The problems that use the rule; the other one takes every sample with its given label. none is AT alone.",
          choices: RuleVariant.allCases.map(\.rawValue), source: "paper: both; tables 6 and 7: inner, outer"),
        .adversary, .noisyLabelRecipe,
      ]
    }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let c = configuration
    let training = NoisyLabelTraining(
      rule: c.variant.usesOuter ? c.rule : EverySample(), adversary: c.adversary,
      innerRule: c.variant.usesInner ? c.rule : EverySample(),
      recipe: c.recipe, stage: Self.id)
    return try training.run(input, judge: c.rule)
  }
}

/// Where the rule is used.
public enum RuleVariant: String, Codable, Sendable, CaseIterable {
  case both
  /// In the inner maximisation alone: PRL-inner of table 6.
  case inner
  /// In the outer minimisation alone: PRL-outer.
  case outer
  /// Nowhere: adversarial training alone.
  case none

  var usesInner: Bool { self == .both || self == .inner }
  var usesOuter: Bool { self == .both || self == .outer }
}

/// Adversarial training alone (AT): the meta-algorithm without a rule, the paper's other baseline.
public struct FastAdversarialTraining: Defense {
  public static let id = "noisy-at"
  public static let summary =
    "AT: adversarial training by one FGSM step, without filtering: the noisy-label paper's baseline."
  public static let paper =
    "Goodfellow et al. 2014; as in Defending Backdoor Attacks via Robustness against Noisy Label, table 1"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]
  public static let epochCost = 2.0

  public struct Configuration: Configurable {
    public var adversary = FastGradientSign()
    public var recipe = Recipe.noisyLabelOneCycle
    public init() {}
    public static var settings: [Setting] { [.adversary, .noisyLabelRecipe] }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try NoisyLabelTraining(
      rule: EverySample(), adversary: configuration.adversary, recipe: configuration.recipe, stage: Self.id
    ).run(input)
  }
}
