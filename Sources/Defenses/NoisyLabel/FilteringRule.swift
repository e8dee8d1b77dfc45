// The filters among the noisy-label algorithms of the noisy-label paper (table 4): a batch of B samples is cut to the
// (1 - eps) B with the smallest score.
//
// SPL, self-paced learning (Kumar, Packer, Koller 2010; Jiang et al. 2018): the score is the cross entropy. PRL,
// provable robust learning (Liu et al. 2021, arXiv:2102.06735): the score is the norm of the loss layer's gradient,
// which for cross entropy is ||softmax - one-hot||_2. The two disagree on which of two badly fitted samples is worse:
// cross entropy grows without bound where a confident prediction contradicts the label, the distance ends at sqrt 2.
//
// Decided here: (1 - eps) B is rounded down and is at least one; equal scores go to the earlier sample of the batch;
// the loss is the mean over the kept samples; the full eps from the first step. The base algorithms' code raises the
// drop rate from 0 to eps over 10 epochs, which is `ramp: 10`. Against a trigger a ramp is fatal: the trigger is
// learned while little is dropped, and the filter then keeps it.

import Foundation
public import Support
public import Torch
import TorchNN

/// A rule that keeps the samples of a batch with the smallest scores.
public protocol FilteringRule: NoisyLabelAlgorithm {
  static var score: SampleScore { get }
  /// Share of the samples that is assumed to be bad.
  var rate: Double { get set }
  /// Epochs over which the drop rate rises from 0 to `rate`.
  var ramp: Int { get set }
}

extension FilteringRule {
  public static var settings: [Setting] {
    [
      Setting(
        "rate",
        "Share of the samples that is assumed to be bad (eps), dropped from each batch; at least one sample is kept.",
        unit: "fraction", range: 0...1, source: "paper: the true share, or 0.5 where it is unknown (table 3)"),
      Setting(
        "ramp",
        "Epochs over which the drop rate rises linearly from 0 to its full value; 0 drops fully from the first step.",
        unit: "epochs", range: 0...100_000, source: "decided: 0; PRL's code: 10, in which time a trigger is learned"),
    ]
  }

  /// The share that is dropped in an epoch (from 0).
  public func dropRate(epoch: Int) -> Double {
    guard epoch < ramp else { return rate }
    return ramp == 1 ? 0 : rate * Double(epoch) / Double(ramp - 1)
  }

  /// How many of `count` samples are kept in an epoch (from 0).
  public func kept(of count: Int, epoch: Int) -> Int {
    // Without the nudge 0.7 * 10 would be cut to 6.
    min(count, max(1, Int(floor((1 - dropRate(epoch: epoch)) * Double(count) + 1e-9))))
  }

  public func suspicion(_ logits: Tensor, _ labels: Tensor) -> Tensor { Self.score(logits, labels) }

  public func choose(_ logits: Tensor, _ labels: Tensor, epoch: Int) -> NoisyLabelChoice {
    let order = suspicion(logits, labels).argsort(0)
    let rows = order[0..<kept(of: labels.count, epoch: epoch)]
    return NoisyLabelChoice(rows: rows, targets: labels[rows])
  }
}

/// Self-paced learning: keeps the samples of smallest cross entropy.
public struct SPL: FilteringRule {
  public static let id = "spl"
  public static let title = "SPL"
  public static let idea = "learns from each batch's samples of smallest loss"
  public static let paper = "Kumar et al. 2010, Self-Paced Learning; Jiang et al. 2018"
  public static let score = SampleScore.crossEntropy

  public var rate = 0.25
  public var ramp = 0
  public init() {}
}

/// Provable robust learning: keeps the samples whose prediction is nearest to the label.
public struct PRL: FilteringRule {
  public static let id = "prl"
  public static let title = "PRL"
  public static let idea = "learns from each batch's samples of smallest loss-layer gradient"
  public static let paper =
    "Liu et al. 2021, Learning Deep Neural Networks under Agnostic Corrupted Supervision (arXiv:2102.06735)"
  public static let score = SampleScore.predictionDistance

  public var rate = 0.25
  public var ramp = 0
  public init() {}
}
