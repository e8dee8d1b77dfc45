// Shared Adversarial Unlearning (Wei, Zhang, Zha, Wu: Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning Shared Adversarial
// Examples, NeurIPS 2023), algorithm 1 and equation 13.
//
// A student starts as the suspect model; the suspect itself stays as the frozen reference. Per batch: find perturbations that mislead both
// to the same class (SharedAdversary), then take one step in which the student unlearns them: it classifies them correctly or at least
// differently from the reference. Where the paper is silent we follow its authors' code: evaluation mode throughout (batch statistics
// stay, affine parameters train), Adam 1e-4 with amsgrad, batches of 256, no augmentation, the last model is kept.
//
// Choosing the start: the published start (+radius everywhere) finds patch-like triggers. A trigger that spreads over the whole image
// (Blended with noise) may lie far from that corner: then `start: random` finds it in a few epochs, and so does a higher learning rate at
// more cost in accuracy. The README has measured curves.

public import Backdoor
import Support
import Torch
import TorchNN
import Training
import Vision

public struct SharedAdversarialUnlearning: Defense {
  public static let id = "sau"
  public static let summary = "Unlearns adversarial examples that the suspect model and its purified copy share."
  public static let paper = "Wei et al. 2023, Shared Adversarial Unlearning (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public enum Outer: String, Codable, Sendable, CaseIterable {
    /// Unlearn shared examples (L_sar): part B of the paper's ablation.
    case shared
    /// Learn the true labels of the perturbed images: part D, the minimisation of adversarial training.
    case vanilla
  }

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
    public var inner = SharedAdversary.Objective.shared
    public var outer = Outer.shared
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
