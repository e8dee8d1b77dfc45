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
public import Training

/// A rule that keeps the samples of a batch with the smallest scores.
public protocol FilteringRule: NoisyLabelAlgorithm {
  static var score: SampleScore { get }
  /// Share of the samples that is assumed to be bad.
  var rate: Double { get set }
  /// Epochs over which the drop rate rises from 0 to `rate`.
  var ramp: Int { get set }
  /// Batches whose scores the cut is made in; 1 is the batch itself.
  var window: Int { get set }
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
      Setting(
        "window",
        "Batches whose scores the cut is made in: the present one and those before it, a sample by its last score. 1 "
          + "cuts each batch by itself; an epoch's batches or more cut the whole training set.",
        unit: "batches", range: 1...1_000_000, source: "paper: 1"),
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

  public func makeState(samples: Int, classes: Int, device: Device) -> TrainingState? {
    guard window > 1 else { return nil }
    return TrainingState([
      "score": Tensor.zeros([samples], device: device),
      // The step that gave the score, from 1; 0 where there is none yet.
      "step": Tensor.zeros([samples], dtype: .int64, device: device),
      "steps": Tensor.zeros([], dtype: .int64, device: device),
    ])
  }

  public func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice {
    let scores = suspicion(batch.logits, batch.labels)
    let order = scores.argsort(0)
    var count = kept(of: batch.labels.count, epoch: batch.epoch)
    if let state, !batch.isVerdict {
      let recent = remember(scores, batch.indices, state)
      let limit = recent[recent.argsort(0)[kept(of: recent.count, epoch: batch.epoch) - 1]]
      count = max(1, (scores .<= limit).sum().intItem())
    }
    let rows = order[0..<count]
    return NoisyLabelChoice(rows: rows, targets: batch.labels[rows])
  }

  /// Notes a batch's scores and returns those of the window.
  private func remember(_ scores: Tensor, _ indices: Tensor, _ state: TrainingState) -> Tensor {
    let (score, step, steps) = (state["score"], state["step"], state["steps"])
    let now = steps.intItem() + 1
    steps.fill_(Double(now))
    score.put_([indices], scores.to(.float32))
    step.put_([indices], Tensor.full([indices.count], Double(now), dtype: .int64, device: step.device))
    let isRecent = step .> Double(max(0, now - window))
    return score[isRecent.nonzero().flattened()]
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
  public var window = 1
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
  public var window = 1
  public init() {}
}
