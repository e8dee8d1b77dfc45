import Audit
import Files
import Support
import Torch
import Training
import Vision

/// The images of an audit as the model sees them: the test split where there is one, else all images of a folder; of a
/// folder without class folders, images without labels.
struct AuditData {
  let images: ImageDataset
  let hasLabels: Bool

  var labelled: ImageDataset? { hasLabels ? images : nil }
  var shape: [Int] { [images.channels, images.height, images.width] }

  init(_ settings: DatasetSettings, for model: ModelFile, progress: any ProgressReporter) throws {
    let (data, split) = try model.images(settings, progress: progress)
    hasLabels = split != .unlabeled
    if split == .test { progress.message("the audit takes the test split of \(data.name)") }
    images = try model.fitted(data, settings: settings, progress: progress)
  }

  /// On the held-out images; nil without labels.
  func accuracy(_ model: Classifier, _ images: AuditImages, _ context: TrainingContext) -> ShareInterval? {
    guard hasLabels else { return nil }
    let truth = self.images.subset(images.heldOutPositions).labelArray()
    let predicted = images.heldOut.labelArray()
    return ShareInterval(successes: zip(truth, predicted).count { $0 == $1 }, of: truth.count)
  }
}
