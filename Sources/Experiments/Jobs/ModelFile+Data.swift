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
    if data.channels == 1, takesColour(data) {
      data = data.withChannels(3)
      progress.message("gray images of \(data.name) become three equal channels for \(path)")
    }
    guard let names = Classifier.storedClassNames(in: path) else { return data }
    return try data.numbered(as: names, of: source) { progress.message($0) }
  }

  /// Whether the model has three image channels: by what its file says, else by what fits its tensors.
  private func takesColour(_ gray: ImageDataset) -> Bool {
    if let stored = ModelSpec.stored(in: path) { return stored.shape.channels == 3 }
    var options = ModelFileOptions()
    (options.ignored, options.renamed, options.key) = (ignored, renamed, key)
    guard let named else {
      return (try? RecognizedModel(options.shapes(of: path), path: path))?.shape.channels == 3
    }
    guard let spec = try? named.spec(for: gray.withChannels(3)) else { return false }
    return (try? Classifier.open(path, as: spec, options: options)) != nil
  }
}
