public import Backdoor
public import Support
public import Training

/// A noisy-label algorithm by itself: the baseline that the meta-algorithm reinforces.
public struct NoisyLabelDefense<Rule: NoisyLabelAlgorithm>: Defense {
  public static var id: String { Rule.id }
  public static var summary: String { "\(Rule.title): \(Rule.idea)." }
  public static var paper: String { Rule.paper }
  public static var stage: DefenseStage { .training }
  public static var requires: Set<Resource> { [.poisonedTrain] }

  public struct Configuration: Configurable {
    public var rule = Rule()
    public var recipe = Recipe.noisyLabelOneCycle
    public init() {}
    public static var settings: [Setting] { [.rule(Rule.self), .noisyLabelRecipe] }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try NoisyLabelTraining(rule: configuration.rule, recipe: configuration.recipe, stage: Self.id).run(input)
  }
}

extension Setting {
  static func rule(_ type: (some NoisyLabelAlgorithm).Type) -> Setting {
    Setting("rule", "The noisy-label algorithm \(type.title).", nested: type)
  }
  static var adversary: Setting {
    Setting(
      "adversary", "The inner maximisation: what perturbs the images before each step.", nested: FastGradientSign.self)
  }
  static var noisyLabelRecipe: Setting {
    Setting(
      "recipe", "How the model is trained.",
      source: "paper, with PyTorch's weight decay; schedule decided: one-cycle, which never exceeds the rate of the "
        + "paper's, constant",
      nested: Recipe.self)
  }
}
