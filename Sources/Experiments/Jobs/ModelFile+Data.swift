import Files
import Support
import Torch
import Vision

extension ModelFile {
  /// The settings with the side of the file's images, where they give none and the images may be of several sizes.
  /// - Throws: `FileError`, `FormatError` for a file whose metadata are damaged.
  func sized(_ settings: DatasetSettings) throws -> DatasetSettings {
    var settings = settings
    guard settings.size == nil, ["folder", "csv"].contains(settings.name), let side = try ownSize() else {
      return settings
    }
    settings.size = side
    return settings
  }

  /// The side of the images that the model takes, by what its file says or by the positions of a transformer.
  private func ownSize() throws -> Int? {
    if let stored = try ModelSpec.stored(in: path) { return stored.shape.imageSize }
    guard named == nil, let found = try? recognized(), found.shape.patch != nil else { return nil }
    return found.shape.imageSize
  }

  private func recognized() throws -> RecognizedModel {
    let (entries, network) = try options.outline(of: path)
    return try RecognizedModel(entries, path: path, heads: heads ?? network?.heads)
  }

  /// The data set as the file's model sees it: with its channels, its size, and its classes in its order, as far as the
  /// file says what they are.
  /// - Parameters:
  ///   - settings: those of the data set; a size that they give stays.
  ///   - progress: hears what was changed.
  /// - Throws: `ClassNameError` where the model lacks a class of the data set.
  func fitted(
    _ data: ImageDataset, settings: DatasetSettings, progress: any ProgressReporter
  ) throws -> ImageDataset {
    var data = data
    if settings.size == nil, let side = try ownSize(), data.shape.side != side {
      progress.message(
        "the images of \(data.name), \(data.height)x\(data.width) pixels, are resized to \(side)x\(side), the size "
          + "that \(path) takes")
      data = data.resized(to: side)
    }
    if data.channels == 1, try takesColour(data) {
      data = data.withChannels(3)
      progress.message("gray images of \(data.name) become three equal channels for \(path)")
    }
    let names = Classifier.storedClassNames(in: path)
    if let classMap {
      guard let classes = try names?.count ?? self.classes() else {
        throw JobError.invalid(
          "\(classMap.path): how many classes the model \(path) has does not show in its entries, so that its classes "
            + "cannot be numbered. Leave --class-map out.")
      }
      return try classMap.applied(to: data, classes: classes, names: names, source: source) { progress.message($0) }
    }
    guard let names else { return data }
    return try data.numbered(as: names, of: source) { progress.message($0) }
  }

  /// Says what a job's result depends on in this model. What nobody asked for has no entry.
  func identify(_ identity: inout JSONValue, normalization: String?) throws {
    identity["model"] = .string(try Digest.sha256Hex(file: path))
    if !ignored.isEmpty || !renamed.isEmpty {
      identity["modelEntries"] = .array((ignored + renamed.map { "\($0.from)=\($0.to)" }).map(JSONValue.string))
    }
    if let key { identity["modelKey"] = .string(key) }
    if let normalization { identity["modelNormalization"] = .string(normalization) }
    // Strides and heads do not show in the weights.
    if let stem { identity["modelStem"] = .string(stem.rawValue) }
    if let heads { identity["modelHeads"] = .int(heads) }
  }

  /// Images to look at with the model: of one split, or of the test split where there is one, else all. Those that lie in
  /// no folders of classes get the model's class names, and have no labels.
  /// - Throws: `DataError`, `FileError`; `JobError` where the number of classes does not show.
  func images(
    _ settings: DatasetSettings, split: DataSplit? = nil, progress: any ProgressReporter
  ) throws -> (data: ImageDataset, split: DataSplit) {
    var settings = try sized(settings)
    let isFlat = settings.name == "folder" && settings.path.map(ImageFolderFiles.isFlat) == true
    let hasTest = try !isFlat && (settings.holdsTest() || (settings.holdOut ?? 0) > 0)
    let chosen: DataSplit = isFlat ? .unlabeled : hasTest ? .test : .train
    // Nothing is trained: without a test split, no image is held out either.
    if split == nil, chosen == .train { settings.holdOut = 0 }
    let split = split ?? chosen
    let data = try ImageDataset.load(settings, split) { progress.message($0) }
    guard data.classNames.isEmpty else { return (data, split) }
    let named = ImageDataset(
      name: data.name, images: data.images, labels: data.labels, classNames: try classMap?.ours ?? classNames(),
      sources: data.sources)
    return (named, split)
  }

  /// The names of the model's classes, their numbers where its file has none.
  /// - Throws: `JobError` where their number does not show.
  func classNames() throws -> [String] {
    if let names = Classifier.storedClassNames(in: path) { return names }
    guard FileSystem.exists(path), let count = try classes() else {
      throw JobError.invalid(
        "\(path): how many classes the model has does not show in its entries. Give images by class in place of a folder "
          + "without classes.")
    }
    return (0..<count).map(String.init)
  }

  /// How many classes the model has, by what its file says or by its entries.
  private func classes() throws -> Int? {
    if let stored = try ModelSpec.stored(in: path) { return stored.shape.classes }
    return try? recognized().shape.classes
  }

  var options: ModelFileOptions {
    var options = ModelFileOptions()
    (options.ignored, options.renamed, options.key) = (ignored, renamed, key)
    return options
  }

  /// Whether the model has three image channels: by what its file says, else by what fits its tensors.
  private func takesColour(_ gray: ImageDataset) throws -> Bool {
    if let stored = try ModelSpec.stored(in: path) { return stored.shape.channels == 3 }
    guard let named else {
      return (try? recognized())?.shape.channels == 3
    }
    guard let spec = try? named.spec(for: gray.withChannels(3)) else { return false }
    return (try? Classifier.open(path, as: spec, options: options)) != nil
  }
}

extension ImageShape {
  /// The side of square images; nil of others.
  fileprivate var side: Int? { height == width ? height : nil }
}
