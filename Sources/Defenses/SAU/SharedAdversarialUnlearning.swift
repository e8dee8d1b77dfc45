// Shared Adversarial Unlearning (Wei, Zhang, Zha, Wu: Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning
// Shared Adversarial Examples, NeurIPS 2023), algorithm 1 and equation 13.
//
// A student starts as the suspect model; the suspect itself stays as the frozen reference. Per batch: find
// perturbations that mislead both to the same class (SharedAdversary), then take one step in which the student unlearns
// them: it classifies them correctly or at least differently from the reference. Where the paper is silent we follow
// its authors' code: evaluation mode throughout (batch statistics stay, affine parameters train), Adam 1e-4 with
// amsgrad, batches of 256, no augmentation, the last model is kept.
//
// Choosing the start: the published start (+radius everywhere) finds patch-like triggers. A trigger that spreads over
// the whole image (Blended with noise) may lie far from that corner: then `start: random` finds it in a few epochs, and
// so does a higher learning rate at more cost in accuracy. docs/results.md has measured curves.

public import Backdoor
import Support
import Torch
import TorchNN
import Training
import Vision

public struct SharedAdversarialUnlearning: Defense, UnlearningDefaults {
  public static let id = "sau"
  public static let summary = "Unlearns adversarial examples that the suspect model and its purified copy share."
  public static let paper = "Wei et al. 2023, Shared Adversarial Unlearning (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]
  public static let inner = SharedAdversary.Objective.shared
  public static let outer = SharedAdversarialUnlearning.Outer.shared

  public enum Outer: String, Codable, Sendable, CaseIterable {
    /// Unlearn shared examples (L_sar): part B of the paper's ablation.
    case shared
    /// Learn the true labels of the perturbed images: part D, the minimisation of adversarial training.
    case vanilla
  }

  public typealias Configuration = UnlearningSettings<SharedAdversarialUnlearning>

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try AdversarialUnlearning(configuration, stage: Self.id).run(input)
  }
}
