// Bootstrap (Reed et al. 2014, arXiv:1412.6596), the consistency-based algorithm of the noisy-label paper (table 4):
// targets are alpha y + (1 - alpha) y_pred. No sample is left out, so it gives no verdict on samples, only their
// suspicion (cross entropy).
//
// Decided here, as Reed's "hard" form: y_pred is the one-hot vector of the present prediction, a constant for the
// gradient; alpha = .8.

public import Support
public import Torch
import TorchNN
public import Training

/// Mixes the given labels with the model's own predictions.
public struct Bootstrap: NoisyLabelAlgorithm {
  public static let id = "bootstrap"
  public static let title = "Bootstrap"
  public static let idea = "learns labels mixed with the model's own predictions"
  public static let paper =
    "Reed et al. 2014, Training Deep Neural Networks on Noisy Labels with Bootstrapping (arXiv:1412.6596)"

  public var alpha = 0.8
  public init() {}
  public static let settings: [Setting] = [
    Setting(
      "alpha", "Weight of the given label in the target; the rest is the model's prediction.", unit: "fraction",
      range: 0...1,
      source: "Reed et al. 2014, hard bootstrapping")
  ]

  public func choose(_ batch: NoisyLabelBatch, _ state: TrainingState?) -> NoisyLabelChoice {
    let (logits, classes) = (batch.logits, batch.logits.dimension(1))
    let given = batch.labels.oneHot(classes).to(.float32)
    let predicted = logits.argmax(1).oneHot(classes).to(.float32)
    return NoisyLabelChoice(targets: given * alpha + predicted * (1 - alpha))
  }
}
