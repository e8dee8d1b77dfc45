public import Backdoor
public import Defenses
import Torch
import TorchNN
public import Training
public import Vision

/// What becomes of the found trigger on a purified copy of the model. A backdoor's trigger dies while clean accuracy
/// stays; triggers of clean models may die too, so this words a verdict and is no test.
public struct AuditConfirmation {
  /// Made with Feature Shift Tuning.
  public let purified: Classifier
  /// Success of the sparse patch on held-out images, on the model and on the copy.
  public let successBefore: ShareInterval
  public let successAfter: ShareInterval
  /// Accuracy on the held-out images that have labels.
  public let accuracyBefore: ShareInterval
  public let accuracyAfter: ShareInterval

  /// For some hundred images: 8 passes over 500 in steps of 32, at least 125 steps for fewer.
  public static func settings(images: Int) -> FeatureShiftTuning.Configuration {
    var settings = FeatureShiftTuning.Configuration()
    (settings.batch, settings.learningRate) = (32, 0.02)
    settings.epochs = max(8, (125 * 32 + images - 1) / max(images, 1))
    return settings
  }

  /// - Parameters:
  ///   - tuning: labelled clean images to purify with.
  ///   - heldOut: labelled clean images that are not among them.
  ///   - settings: nil takes `settings(images:)`.
  /// - Throws: `DefenseError`, `TrainingError`, `Interrupted`.
  public init(
    _ model: Classifier, patch: ReconstructedTrigger, label: Int, tuning: ImageDataset, heldOut: ImageDataset,
    flips: Bool = true, settings: FeatureShiftTuning.Configuration? = nil, context: TrainingContext
  ) throws {
    var settings = settings ?? Self.settings(images: tuning.count)
    settings.flip = settings.flip && flips
    purified = try FeatureShiftTuning(settings).purify(model, clean: tuning, context: context).eval()
    // The same images for both: those that the suspect does not give the label anyway.
    func answers(_ model: Classifier) -> [Int] {
      model.logits(of: heldOut, context: context).argmax(1).array(Int64.self).map(Int.init)
    }
    let (sources, truth) = (answers(model), heldOut.labelArray())
    let others = heldOut.subset(sources.indices.filter { sources[$0] != label })
    func success(_ model: Classifier) -> ShareInterval {
      let predicted = model.logits(of: others, context: context, transform: { pixels, _ in patch.stamp(pixels) })
        .argmax(1).array(Int64.self)
      return ShareInterval(successes: predicted.count { Int($0) == label }, of: predicted.count)
    }
    func accuracy(_ answers: [Int]) -> ShareInterval {
      ShareInterval(successes: zip(answers, truth).count { $0 == $1 }, of: truth.count)
    }
    (successBefore, successAfter) = (success(model), success(purified))
    (accuracyBefore, accuracyAfter) = (accuracy(sources), accuracy(answers(purified)))
  }
}
