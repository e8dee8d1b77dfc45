// The inner maximisation of the noisy-label meta-algorithm (algorithm 1, equation 5): one FGSM step from c = 0 in the
// L_inf ball of radius tau, with the loss of the samples that the noisy-label rule trusts.
//
// Equation 5 taken literally is one perturbation for the whole batch, the mean of the samples' gradient signs times
// tau: `form: shared`. The usual FGSM, each sample along its own sign, is what "fast gradient sign method" means
// elsewhere and the default. Also decided here:
// - Samples that the rule filters out have no loss to ascend, so their own c is 0. (The shared c of equation 5 is for
//   all of M_x, so there it moves them too.) `perturbAll` changes either. Alone with batch statistics (mode: train) a
//   filtered sample has a gradient at all, because it takes part in the statistics of the others.
// - The network's mode is the paper's blind spot: `train` is what an unadorned training loop does; the running
//   statistics then see the clean and the perturbed batch. `eval` attacks the network as it would be used.
// Only input gradients are computed, and one forward pass serves the rule and the gradient.

public import Support
public import Torch
import TorchNN
public import Training
public import Vision

public struct FastGradientSign: Configurable {
  public enum Form: String, Codable, Sendable, CaseIterable {
    /// Each image along the sign of its own gradient.
    case perSample = "per-sample"
    /// One perturbation for the batch, the mean of the signs: equation 5 to the letter.
    case shared
  }
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// Batch statistics.
    case train
    /// Running statistics.
    case eval
  }

  public var tau = 0.05
  public var form = Form.perSample
  public var perturbAll: Bool? = nil
  public var mode = Mode.train
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "tau", "Largest change of a pixel.", unit: "pixels in [0,1]", range: 0...1,
      source: "paper: .05; table 3: .01 to .5"),
    Setting(
      "form",
      "Each image along its own gradient's sign, or one mean of signs for the batch (equation 5 to the letter).",
      choices: Form.allCases.map(\.rawValue), source: "decided: per-sample"),
    Setting(
      "perturbAll",
      "Perturb the samples too that the rule filters out of this step; null: with form shared alone. Per sample and in mode "
        + "eval nothing perturbs them.",
      source: "decided"),
    Setting(
      "mode", "Mode of the network in this step: batch statistics or running statistics.",
      choices: Mode.allCases.map(\.rawValue),
      source: "decided: train"),
  ]

  /// Perturbed images, clipped to [0, 1], without graph.
  /// - Parameters:
  ///   - images: pixels, B x C x H x W; labels: int64 B; indices: their positions in the training set, int64 B.
  ///   - rule: whose samples and targets make the loss; state: what it remembers.
  ///   - epoch: from 0.
  public func perturb(
    _ images: Tensor, labels: Tensor, indices: Tensor, model: Classifier, rule: any NoisyLabelRule,
    state: TrainingState? = nil, epoch: Int, labelSmoothing: Double = 0, context: TrainingContext
  ) -> Tensor {
    // The caller may have switched recording off, as everyone does who only wants images.
    let (gradient, rows) = withGrad {
      model.withFrozenParameters {
        model.withMode(training: mode == .train) {
          let x = images.detach().requiresGrad_()
          let loss = context.compute {
            rule.loss(
              model(x), labels, indices: indices, state, epoch: epoch, labelSmoothing: labelSmoothing)
          }
          return (Torch.gradient(of: loss.value, at: x), loss.rows)
        }
      }
    }
    return noGrad { (images + step(along: gradient, rows: rows)).clamped(0, 1) }
  }

  /// c from the gradient of the chosen rows' loss: B x C x H x W, or 1 x C x H x W for one perturbation of all.
  func step(along gradient: Tensor, rows: Tensor?) -> Tensor {
    let sign = gradient.sign()
    let c: Tensor
    switch form {
    case .perSample: c = sign * tau
    case .shared: c = (rows.map { sign[$0] } ?? sign).mean([0], keep: true) * tau
    }
    guard let rows, !(perturbAll ?? (form == .shared)) else { return c }
    let chosen = Tensor.zeros([gradient.dimension(0), 1, 1, 1], device: gradient.device)
    chosen.put_([rows], Tensor.ones([rows.count, 1, 1, 1], device: gradient.device))
    return c * chosen
  }
}
