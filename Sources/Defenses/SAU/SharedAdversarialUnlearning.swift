// Shared Adversarial Unlearning (Wei, Zhang, Zha, Wu: Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning
// Shared Adversarial Examples, NeurIPS 2023), section 3.3: equation 13, solved by algorithm 1 (appendix B).
//
// A student starts as the suspect model; the suspect itself stays as the frozen reference. Per batch: find
// perturbations that mislead both to the same class (SharedAdversary), then take one step in which the student unlearns
// them: it classifies them correctly or at least differently from the reference. From appendix C.2: evaluation mode
// throughout (batch statistics stay, affine parameters train), Adam 1e-4, 100 epochs. Where the paper is silent we
// follow its authors' code: amsgrad, batches of 256, no augmentation, the last model is kept.
//
// Where code and equations differ, the code is the default and the equations are `innerSamples: all` (10 and 11: sums
// over all samples) and `mask: wrong` (12: every sample that the reference gets wrong). L_sar has equation 12's two
// equal halves clamped separately, as the code does; away from the clamps it is the equation.
//
// Choosing the start: the code's start (+radius everywhere) finds patch-like triggers. A trigger that spreads over the
// whole image (Blended with noise) may lie far from that corner: then `start: uniform` finds it in a few epochs, and so
// does a higher learning rate at more cost in accuracy. docs/results.md has measured curves.

public import Backdoor
import Support
import Torch
import TorchNN
import Training
import Vision

public struct SharedAdversarialUnlearning: Defense, UnlearningDefaults, PerturbationSearching {
  public static let id = "sau"
  public static let summary = "Unlearns adversarial examples that the suspect model and its purified copy share."
  public static let paper = "Wei et al. 2023, Shared Adversarial Unlearning (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]
  public static let epochCost = 7.0
  public static let inner = SharedAdversary.Objective.shared
  public static let outer = SharedAdversarialUnlearning.Outer.shared

  public enum Outer: String, Codable, Sendable, CaseIterable {
    /// Unlearn shared examples (L_sar): part B of the paper's ablation.
    case shared
    /// Learn the true labels of the perturbed images: part D, the minimisation of adversarial training.
    case vanilla
  }
  /// Which samples L_sar counts.
  public enum Mask: String, Codable, Sendable, CaseIterable {
    /// Those that the perturbation moves to a wrong class of the reference which is not the clean image's.
    case moved
    /// All whose perturbed image the reference gets wrong, also where it got the clean one wrong in the same way:
    /// equation 12 as published.
    case wrong
  }

  public typealias Configuration = UnlearningSettings<SharedAdversarialUnlearning>

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public var search: Configuration { configuration.search }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try AdversarialUnlearning(configuration, stage: Self.id).run(input)
  }
}
