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
    let sized = model.sized(settings)
    let note: (String) -> Void = { progress.message($0) }
    let data: ImageDataset
    if settings.name == "folder", let path = settings.path, ImageFolderFiles.isFlat(path) {
      hasLabels = false
      let names = Classifier.storedClassNames(in: model.path)
      guard let count = try names?.count ?? model.classes() else {
        throw JobError.invalid(
          "\(path): the images lie in no folders of classes, and how many classes \(model.path) has does not show in its "
            + "entries. Sort the images into one folder a class.")
      }
      let images = try ImageDataset.load(sized, .unlabeled, onNote: note)
      data = ImageDataset(
        name: images.name, images: images.images, labels: images.labels,
        classNames: names ?? (0..<count).map { "class \($0)" }, sources: images.sources)
    } else {
      hasLabels = true
      let split: DataSplit = try settings.holdsTest() ? .test : .train
      data = try ImageDataset.load(sized, split, onNote: note)
      if split == .test { note("the audit takes the test split of \(data.name)") }
    }
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
