public import Backdoor
public import Support
public import TorchNN
public import Vision

/// Which objectives a defense of this family starts with.
public protocol UnlearningDefaults: Sendable {
  static var inner: SharedAdversary.Objective { get }
  static var outer: SharedAdversarialUnlearning.Outer { get }
}

/// A defense that searches perturbations of its own: the risks of its models are measured with the same search.
public protocol PerturbationSearching {
  /// Ball, steps and start.
  var search: SharedAdversarialUnlearning.Configuration { get }
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
  public var l1Projection = L1Projection.rescaling
  public var start = SharedAdversary.Start.max
  public var universal = false
  public var target: Int? = nil
  public var clamp = false
  public var inner = Defaults.inner
  public var innerSamples = SharedAdversary.Samples.open
  public var outer = Defaults.outer
  public var mask = SharedAdversarialUnlearning.Mask.moved
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
        source: "paper, appendix C.2: 100, Tiny ImageNet 20"),
      Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: "authors' code"),
      Setting(
        "learningRate", "Adam's learning rate. 1e-3 unlearns faster and costs more accuracy.", range: 0...1,
        source: "paper, appendix C.2"),
      Setting("amsgrad", "Adam with amsgrad.", source: "authors' code"),
      Setting("weightDecay", "L2 penalty.", range: 0...1, source: "authors' code"),
      Setting(
        "norm", "Norm that bounds the perturbation.", choices: Norm.allCases.map(\.rawValue),
        source: "paper, section 4.1"),
      Setting(
        "radius", "Size of the perturbation set, in its norm: the paper has 5 in l2 and 300 in l1.",
        unit: "pixels in [0,1]", range: 0...10_000,
        source: "paper, section 4.1"),
      Setting("steps", "Ascent steps per batch.", unit: "steps", range: 0...1000, source: "paper, section 4.1"),
      Setting(
        "stepSize", "Length of one ascent step.", unit: "pixels in [0,1]", range: 0...10_000,
        source: "paper, appendix C.2"),
      Setting(
        "stepRule", "Step along the gradient's sign in every norm, or along the norm's own steepest direction.",
        choices: SharedAdversary.StepRule.allCases.map(\.rawValue), source: "paper, algorithm 1"),
      Setting(
        "l1Projection", "Of l1 alone: into the ball by dividing by the norm, or to its nearest point.",
        choices: L1Projection.allCases.map(\.rawValue), source: "authors' code: rescaling"),
      Setting(
        "start",
        "Where the ascent starts: +radius everywhere (max) finds patches, U(-radius, radius) (uniform) triggers spread "
          + "over the image; random is the authors' U[0, 1), most of it at +radius. Projected.",
        choices: SharedAdversary.Start.allCases.map(\.rawValue),
        source: "authors' code: max, min, zero, random; uniform decided here"),
      Setting("universal", "One perturbation for the whole batch.", source: "paper, appendix A.4"),
      Setting(
        "target",
        "Known target class, by number or name in the data set; empty where it is not known. In shared and vanilla "
          + "objectives.", unit: "class",
        range: 0...100_000,
        source: "paper, appendix A.5"),
      Setting("clamp", "Keep perturbed images inside [0,1].", source: "authors' code: off"),
      Setting(
        "inner", "Examples to look for: part A (shared) or C (vanilla) of the ablation.",
        choices: SharedAdversary.Objective.allCases.map(\.rawValue), source: "paper, table 5"),
      Setting(
        "innerSamples",
        "Samples in the shared inner objective: those not yet misled or shared (open), or all in every step.",
        choices: SharedAdversary.Samples.allCases.map(\.rawValue),
        source: "authors' code: open; paper, equations 10 and 11: all"),
      Setting(
        "outer", "What to learn from them: part B (shared) or D (vanilla) of the ablation.",
        choices: SharedAdversarialUnlearning.Outer.allCases.map(\.rawValue), source: "paper, table 5"),
      Setting(
        "mask",
        "Samples in the shared risk: those that the perturbation moves to another wrong class of the reference "
          + "(moved), or all that the reference then gets wrong.",
        choices: SharedAdversarialUnlearning.Mask.allCases.map(\.rawValue),
        source: "authors' code: moved; paper, equation 12: wrong"),
      Setting(
        "lambda1", "Weight of cross entropy on clean images.", range: 0...1000, source: "paper, section 4.1"),
      Setting(
        "lambda2", "Weight of what is unlearned: the shared adversarial risk or, with outer: vanilla, cross entropy.",
        range: 0...1000, source: "paper, section 4.1"),
      Setting(
        "lambda3", "Weight of the adversarial risk in the shared inner problem.", range: 0...1000,
        source: "paper, section 4.1"),
      Setting(
        "lambda4", "Weight of the Jensen-Shannon divergence in the shared inner problem.", range: 0...1000,
        source: "paper, section 4.1"),
      Setting(
        "adversarialWeight", "Weight of cross entropy on perturbed images beside the shared risk.", range: 0...1000,
        source: "authors' code: 0"),
    ]
  }

  /// The search of these settings as SAU's, without its objectives and targets: ball, steps, start and weights.
  var search: SharedAdversarialUnlearning.Configuration {
    var search = SharedAdversarialUnlearning.Configuration()
    (search.norm, search.radius, search.l1Projection) = (norm, radius, l1Projection)
    (search.steps, search.stepSize, search.stepRule, search.start) = (steps, stepSize, stepRule, start)
    (search.clamp, search.innerSamples, search.lambda3, search.lambda4) = (clamp, innerSamples, lambda3, lambda4)
    return search
  }

  /// The perturbation set and the search in words.
  public var searchText: String {
    let edge = clamp ? ", inside [0,1]" : ""
    return "\(norm.rawValue) radius \(radius)\(edge), \(steps) steps of \(stepSize) from \(start.rawValue)"
  }

  /// The student's optimizer.
  public func makeOptimizer(for student: Classifier) -> Optimizer {
    Adam(student.parameters(), learningRate: learningRate, weightDecay: weightDecay, amsgrad: amsgrad)
  }
}
