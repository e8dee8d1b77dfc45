import Support
import Torch
import Vision

extension ModelFile {
  /// The data set as the file's model sees it: with its channels, and its classes in its order, as far as the file says
  /// what they are.
  /// - Parameter progress: hears what was changed.
  /// - Throws: `ClassNameError` where the model lacks a class of the data set.
  func fitted(_ data: ImageDataset, progress: any ProgressReporter) throws -> ImageDataset {
    var data = data
    if data.channels == 1, ModelSpec.stored(in: path)?.shape.channels == 3 {
      data = data.withChannels(3)
      progress.message("gray images of \(data.name) become three equal channels for \(path)")
    }
    guard let names = Classifier.storedClassNames(in: path) else { return data }
    return try data.numbered(as: names, of: source) { progress.message($0) }
  }
}
