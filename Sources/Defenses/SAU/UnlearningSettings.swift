public import Backdoor
public import Support
public import TorchNN
public import Vision

/// Which objectives a defense of this family starts with.
public protocol UnlearningDefaults: Sendable {
  static var inner: SharedAdversary.Objective { get }
  static var outer: SharedAdversarialUnlearning.Outer { get }
}

/// The settings of SAU and of its ablations, which differ in the defaults of `inner` and `outer`.
public struct UnlearningSettings<Defaults: UnlearningDefaults>: Configurable {
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
  public var inner = Defaults.inner
  public var outer = Defaults.outer
  public var lambda1 = 1.0
  public var lambda2 = 1.0
  public var lambda3 = 0.01
  public var lambda4 = 1.0
  public var adversarialWeight = 0.0
  public init() {}

  public static var settings: [Setting] {
    [
      Setting(
        "epochs", "Passes over the clean images.", unit: "epochs", range: 0...100_000,
        source: "paper: 100, Tiny ImageNet 20"),
      Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "authors' code"),
      Setting(
        "learningRate", "Adam's learning rate. 1e-3 unlearns faster and costs more accuracy.", range: 0...1,
        source: "authors' code"),
      Setting("amsgrad", "Adam with amsgrad.", source: "authors' code"),
      Setting("weightDecay", "L2 penalty.", range: 0...1, source: "authors' code"),
      Setting("norm", "Norm that bounds the perturbation.", choices: Norm.allCases.map(\.rawValue)),
      Setting(
        "radius", "Size of the perturbation set, in its norm.", unit: "pixels in [0,1]", range: 0...10_000,
        source: "paper"),
      Setting("steps", "Ascent steps per batch.", unit: "steps", range: 0...1000, source: "paper"),
      Setting("stepSize", "Length of one ascent step.", unit: "pixels in [0,1]", range: 0...10_000, source: "paper"),
      Setting(
        "stepRule", "Step along the gradient's sign in every norm, or along the norm's own steepest direction.",
        choices: SharedAdversary.StepRule.allCases.map(\.rawValue), source: "paper, algorithm 1"),
      Setting(
        "start",
        "Where the ascent starts: +radius everywhere finds patches, random finds triggers spread over the image.",
        choices: SharedAdversary.Start.allCases.map(\.rawValue), source: "authors' code: max"),
      Setting("universal", "One perturbation for the whole batch.", source: "paper, appendix A.4"),
      Setting(
        "target", "Known target class, by number or name in the data set; empty where it is not known.", unit: "class",
        range: 0...100_000,
        source: "paper, appendix A.5"),
      Setting("clamp", "Keep perturbed images inside [0,1].", source: "authors' code: off"),
      Setting(
        "inner", "Examples to look for: part A (shared) or C (vanilla) of the ablation.",
        choices: SharedAdversary.Objective.allCases.map(\.rawValue)),
      Setting(
        "outer", "What to learn from them: part B (shared) or D (vanilla) of the ablation.",
        choices: SharedAdversarialUnlearning.Outer.allCases.map(\.rawValue)),
      Setting("lambda1", "Weight of cross entropy on clean images.", range: 0...1000, source: "paper"),
      Setting("lambda2", "Weight of the shared adversarial risk.", range: 0...1000, source: "paper"),
      Setting("lambda3", "Weight of the adversarial risk in the inner problem.", range: 0...1000, source: "paper"),
      Setting(
        "lambda4", "Weight of the Jensen-Shannon divergence in the inner problem.", range: 0...1000, source: "paper"),
      Setting(
        "adversarialWeight", "Weight of cross entropy on perturbed images beside the shared risk.", range: 0...1000,
        source: "authors' code: 0"),
    ]
  }

  /// The student's optimizer.
  public func makeOptimizer(for student: Classifier) -> Optimizer {
    Adam(student.parameters(), learningRate: learningRate, weightDecay: weightDecay, amsgrad: amsgrad)
  }
}
