import Files
public import Support
import Torch
import TorchNN
public import Vision

/// A model's file with what the user says about it.
public struct ModelFile: Sendable {
  public var path: String
  /// Architecture and width by name, for files that do not say what they hold; nil trusts the file.
  public var named: ModelSettings?
  /// The width that the model is said to have, where `named` is nil; another one is refused.
  public var width: Int?
  /// Entries that are left out: whole keys, or beginnings up to a dot.
  public var ignored: [String]
  /// Beginnings of keys, up to a dot, with what takes their place.
  public var renamed: [(from: String, to: String)]
  /// Which state dict of a PyTorch file, as the keys that lead to it with dots; nil takes the one that is meant.
  public var key: String?
  /// What the model does to pixels; nil trusts the file, and tries what is known where the file does not say it.
  public var normalization: NormalizationSetting?
  /// What the program that wrote the file does to pixels, where that is known; the file's own word goes over it.
  public var usualNormalization: NormalizationSetting?
  /// In which order the model takes the channels; nil as with `normalization`.
  public var channelOrder: ChannelOrder?
  /// Which class of the model each class of a data set is; nil matches them by name, or by position.
  public var classMap: ClassMap?
  /// What weights do not show of a file whose architecture is recognised: which strides, how many attention heads.
  public var stem: Stem?
  public var heads: Int?

  public init(
    _ path: String, named: ModelSettings? = nil, width: Int? = nil, ignored: [String] = [],
    renamed: [(from: String, to: String)] = [], key: String? = nil, normalization: NormalizationSetting? = nil,
    channelOrder: ChannelOrder? = nil, classMap: ClassMap? = nil
  ) {
    self.path = path
    self.named = named
    self.width = width
    self.ignored = ignored
    self.renamed = renamed
    self.key = key
    self.normalization = normalization
    self.channelOrder = channelOrder
    self.classMap = classMap
  }

  /// The model files directly in a folder, by name.
  static func names(in folder: String) throws(FileError) -> [String] {
    let endings = [".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar"]
    return try FileSystem.list(folder).filter { name in endings.contains { name.lowercased().hasSuffix($0) } }
  }

  /// - Throws: `JobError` for another width than the model is said to have.
  func checkWidth(of model: Classifier) throws(JobError) {
    guard let width, let spec = model.spec, spec.shape.width != width else { return }
    throw .invalid(
      "\(path): the model (\(spec.kind)) has width \(spec.shape.width), and model.width is \(width). Leave it out.")
  }

  /// What messages call it.
  var source: String { "the model \(path)" }

  /// A model with how its normaliser was found.
  public struct Opened {
    public let model: Classifier
    /// nil where the file or the user said it.
    public let fit: NormalizationFit?
    /// What identifies the reading of the file in a job, beside its bytes; nil where it says everything itself.
    let normalization: String?
  }

  /// As `opened`, without how the normaliser was found; that is said.
  public func open(
    for data: ImageDataset, classes: [String]? = nil, progress: any ProgressReporter = SilentProgress()
  ) throws -> Classifier {
    try opened(for: data, classes: classes, progress: progress).model
  }

  /// Reads the model for images of a data set. Its classes are the model's own where the file names them, and the data
  /// set's otherwise: `ImageDataset.numbered(as:of:)` brings data into their order.
  ///
  /// Of a file that does not say what its model does to pixels, and where the user does not say it either, the known
  /// normalisers are tried on the labelled images, and the best one is taken where it is clearly the best
  /// (`NormalizationFit`).
  /// - Parameters:
  ///   - classes: the data set's classes, where `data` may be without some of them.
  ///   - labelled: images as those of `data`, to try normalisers on; nil takes `data` itself.
  /// - Throws: `ModelFileError`, `FileError`, `FormatError`, `StateDictError`: the file is missing or damaged, or is of
  ///   another architecture, or has other classes than the data set; everything that differs is listed. `JobError`
  ///   where no normaliser is clearly the best.
  public func opened(
    for data: ImageDataset, classes: [String]? = nil, labelled: ImageDataset? = nil, seed: Seed = 0,
    progress: any ProgressReporter = SilentProgress()
  ) throws -> Opened {
    guard FileSystem.exists(path) else { throw JobError.invalid("\(path): no such file. \(suggestion)") }
    let classNames = classes ?? data.classNames
    let stored = try ModelSpec.stored(in: path)
    var given = try named?.spec(for: data)
    given?.shape.classes = classNames.count
    // What a user names is which network; what its layers compute beside their weights is the file's to say.
    if let stored {
      given?.shape.normalization = stored.shape.normalization
      if stored.kind == given?.kind {
        given?.shape.groups = stored.shape.groups
        given?.shape.layers = stored.shape.layers
        if named?.stem == nil { given?.shape.stem = stored.shape.stem }
        if named?.heads == nil { given?.shape.heads = stored.shape.heads }
      }
    }
    var options = options
    let outline = stored == nil ? try options.outline(of: path) : nil
    if given == nil, let outline, let found = try recognized(outline, for: data, classes: classNames, progress) {
      given = found.spec
      options.naming = found.naming
    }
    options.onNote = { progress.message($0) }
    let model: Classifier
    do {
      model = try Classifier.open(path, as: given, options: options)
    } catch let error as StateDictError {
      guard let given, let stored, stored != given else { throw error }
      throw JobError.invalid(
        "\(error)\n  According to its metadata the file holds \(Self.words(stored)); asked for was "
          + "\(Self.words(given)).\n"
          + "  Leave out model.name and model.width to use what the metadata says.")
    }
    try checkWidth(of: model)
    if let spec = model.spec {
      if given == nil { try check(spec, model, data, classNames) }
      try ModelKind.named(spec.kind).check(images: data.shape, stem: spec.shape.stem, layers: spec.shape.layers)
    }
    model.classNames = model.classNames ?? classNames
    let own = outline?.network?.normalization(channels: data.channels)
    if stored == nil, normalization == nil, let found = own {
      progress.message("\(path): the module in it normalises its pixels itself, with \(found.name)")
    }
    let known =
      try stored?.shape.normalization ?? own ?? usualNormalization?.values(channels: data.channels)
    let fit = try settleNormalization(of: model, stored: known, on: labelled ?? data, seed: seed, progress)
    let isOwn = stored != nil && normalization == nil && channelOrder == nil
    return Opened(
      model: model, fit: fit,
      normalization: isOwn
        ? nil : "\(model.normalization.name), \((model.normalization.channelOrder ?? .rgb).rawValue)")
  }

  /// What the file says about itself has to fit the images.
  private func check(_ spec: ModelSpec, _ model: Classifier, _ data: ImageDataset, _ classNames: [String]) throws {
    var problems: [String] = []
    if model.classNames == nil, spec.shape.classes != classNames.count {
      problems.append(
        "\(spec.shape.classes) classes, the data set \(data.name) \(Self.list(classNames)) (which class is which: "
          + "--class-map)")
    }
    if spec.shape.channels < data.channels {
      problems.append(
        "gray images, the data set \(data.name) colour (convert its images to gray, or take a model that was "
          + "trained on colour)"
      )
    } else if spec.shape.channels > data.channels {
      problems.append("\(spec.shape.channels) image channels, the data set \(data.name) \(data.channels)")
    }
    let side = spec.shape.imageSize
    if side != data.height || side != data.width {
      let found = data.height == data.width ? "\(data.height)" : "\(data.height)x\(data.width)"
      problems.append("images of \(side) pixels, the data set \(data.name) \(found) (--set dataset.size=\(side))")
    }
    guard problems.isEmpty else {
      throw JobError.invalid(
        "\(path): the model (\(spec.kind), width \(spec.shape.width)) has " + problems.joined(separator: "; ") + ".")
    }
  }

  /// The architecture of a file that does not say what it holds, by its keys and shapes.
  /// - Throws: `ModelFileError` that names the nearest architecture and what differs.
  private func recognized(
    _ outline: (entries: [(key: String, shape: Shape)], network: PickledNetwork?), for data: ImageDataset,
    classes: [String], _ progress: any ProgressReporter
  ) throws -> (spec: ModelSpec, naming: KeyNaming)? {
    guard try !hasModelMetadata() else { return nil }
    let network = outline.network
    let found = try RecognizedModel(outline.entries, path: path, heads: heads ?? network?.heads)
    progress.message("\(path): recognised \(found.description)")
    var shape = found.shape
    guard shape.channels == data.channels else {
      throw JobError.invalid(
        "\(path): the model has \(shape.channels) image channels, the data set \(data.name) \(data.channels).")
    }
    guard shape.classes == classes.count else {
      throw JobError.invalid(
        "\(path): the model has \(shape.classes) classes, the data set \(data.name) \(Self.list(classes)).\n"
          + "  Name the data set that it was trained for, or say which class is which in a file of lines "
          + "\"ours: theirs\", such as \"\(classes.first ?? "cat"): 3\": --class-map FILE.")
    }
    if shape.patch != nil, shape.imageSize != data.height {
      throw JobError.invalid(
        "\(path): the positions of the transformer are for images of \(shape.imageSize) pixels, those of the data set "
          + "\(data.name) have \(data.height): --set dataset.size=\(shape.imageSize) resizes them.")
    }
    shape.imageSize = data.height
    let kind = try ModelKind.named(found.kind)
    if kind.options.hasStems, !kind.options.stemShows {
      shape.stem = try stem ?? network?.stem(of: kind, shape, found.naming, options, path: path)
    }
    if kind.options.hasStems, !kind.options.stemShows, network == nil {
      let used = shape.usedStem
      progress.message(
        "\(path): the strides of \(found.kind) do not show in the weights; taken are those for "
          + (used == .small ? "small images" : "ImageNet's sizes, as in TorchVision")
          + (stem == nil ? " (the others: --set model.stem=\(used == .small ? "large" : "small"))" : ""))
    }
    if shape.stem == .fitting(imageSize: data.height) { shape.stem = nil }
    try kind.check(images: data.shape, stem: shape.stem)
    return (ModelSpec(kind: found.kind, shape: shape), found.naming)
  }

  private func hasModelMetadata() throws -> Bool {
    try TensorFile.metadata(of: path)[Classifier.modelMetadataKey] != nil
  }

  private var suggestion: String {
    Path.similar(to: path).map { "Did you mean \($0)?" } ?? "Name a file of safetensors or PyTorch with --model."
  }

  /// `10 (airplane, automobile, ...)`
  private static func list(_ names: [String]) -> String {
    "\(names.count) (\(names.prefix(10).joined(separator: ", "))\(names.count > 10 ? ", ..." : ""))"
  }

  private static func words(_ spec: ModelSpec) -> String {
    let shape = spec.shape
    return
      "\(spec.kind), width \(shape.width), \(shape.classes) classes, "
      + "\(shape.channels)x\(shape.imageSize)x\(shape.imageSize) images"
  }
}
