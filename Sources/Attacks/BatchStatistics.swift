import Support
import Torch
import Training
import Vision

/// What BatchNorm sees where a step learns a batch clean and triggered.
///
/// In two passes all images of a pass are of one kind. A model can then tell the kinds apart by what its layers subtract
/// and divide by, rather than by the trigger, and the running statistics, which decide afterwards, are those of neither.
public enum BatchStatistics: String, Codable, Sendable, CaseIterable {
  /// Both halves in one pass.
  case joint
  /// One after the other, each with statistics of its own.
  case separate

  /// Logits of clean images and of triggered ones.
  func logits(_ model: Classifier, _ clean: Tensor, _ triggered: Tensor, _ training: TrainingContext)
    -> (clean: Tensor, triggered: Tensor)
  {
    training.compute {
      if self == .separate { return (model(clean), model(triggered)) }
      let all = model(Tensor.concatenated([clean, triggered]).contiguous(.channelsLast))
      let count = clean.dimension(0)
      return (all[0..<count], all[count..<all.dimension(0)])
    }
  }

  static func setting(_ source: String) -> Setting {
    Setting(
      "statistics", "BatchNorm sees clean and triggered images of a step together, or each by themselves.",
      choices: allCases.map(\.rawValue), source: source)
  }
}
