import Backdoor
public import Files
import Formats
public import Support
import Torch
import TorchNN
public import Vision

/// A folder in which another program left an experiment: a model, and images that were poisoned or have a trigger.
///
/// - BackdoorBench: `record/<run>` with `attack_result.pt`.
/// - backdoor-toolbox: `poisoned_train_set/<data set>/<attack>` with `poison_indices`.
/// - A TrojAI round: `models/id-<number>` with `model.pt` and example images.
public struct RecordFolder: Sendable {
  public let path: String
  let contents: Contents

  enum Contents: Sendable {
    case backdoorBench(BackdoorBenchRecord)
    /// The file of its model, where there is one.
    case toolbox(model: String?)
    case trojAI
  }

  /// Reads the folder's table; images stay where they are.
  /// - Throws: `JobError` for a folder of no such kind, `FileError`, `FormatError`.
  public init(_ path: String) throws {
    self.path = path
    guard FileSystem.isFolder(path) else {
      let fix = Path.similar(to: path).map { "Did you mean \($0)?" } ?? "--record takes \(Self.kinds)."
      throw JobError.invalid("\(path): \(FileSystem.exists(path) ? "it is a file" : "no such folder"). \(fix)")
    }
    if FileSystem.exists(Path.join(path, BackdoorBenchResult.fileName)) {
      contents = .backdoorBench(try BackdoorBenchRecord(path))
    } else if ToolboxFiles.isPoisonedSet(path) {
      // The usual model; others in the folder are those of defenses, or say how far its training is.
      let models = try FileSystem.list(path).filter { $0.hasSuffix(".pt") && $0.contains("full_base") }
      let own = models.filter { name in !["cleansed_", "defended_", "meta_info_"].contains(where: name.hasPrefix) }
      contents = .toolbox(model: own.count == 1 ? Path.join(path, own[0]) : nil)
    } else if TrojAIFiles.isModelFolder(path) {
      contents = .trojAI
    } else {
      throw JobError.invalid("\(path): it holds no experiment that is known. --record takes \(Self.kinds).")
    }
  }

  /// What `--record` takes, for messages.
  static let kinds =
    "record/<run> of BackdoorBench with \(BackdoorBenchResult.fileName), poisoned_train_set/<data set>/<attack> of "
    + "backdoor-toolbox with labels and poison_indices, or models/id-<number> of a TrojAI round with model.pt and "
    + "clean-example-data"

  /// The model's file.
  /// - Throws: `JobError` where there is none, or several could be meant.
  public func model() throws -> String {
    switch contents {
    case .backdoorBench(let record): return record.file
    case .toolbox(let model?): return model
    case .toolbox(nil):
      throw JobError.invalid(
        "\(path): it does not hold one model of the usual name, full_base_aug_seed=<seed>.pt. Name the file with --model."
      )
    case .trojAI: return Path.join(path, TrojAIFiles.modelName)
    }
  }

  /// What the folder says about the data set, as settings by name: `dataset.name`, `dataset.path`.
  public var settings: [(key: String, value: JSONValue)] {
    switch contents {
    case .backdoorBench(let record):
      guard let dataset = record.dataset else { return [] }
      return [("dataset.name", .string(dataset.id))] + (record.dataPath.map { [("dataset.path", .string($0))] } ?? [])
    case .toolbox:
      guard ToolboxFiles.cleanFolder(path, "test_split") != nil else { return [] }
      return [("dataset.name", "toolbox"), ("dataset.path", .string(path))]
    case .trojAI: return [("dataset.name", "trojai"), ("dataset.path", .string(path))]
    }
  }

  /// The same for a command that trains nothing: all images are there to measure on.
  public var measuringSettings: [(key: String, value: JSONValue)] {
    if case .trojAI = contents { return settings + [("dataset.holdOut", 1)] }
    return settings
  }

  /// Why the data set has to be named by hand, for the error where it is not.
  public var missingData: String {
    switch contents {
    case .backdoorBench(let record):
      record.dataset == nil
        ? "\(path): the record is of the data set '\(escaped(record.result.dataset, limit: 100))', which is not known here. "
          + "Name its images with --dataset and --data, such as --dataset folder --data path/to/data."
        : "\(path): the clean images of \(record.result.dataset) are not in the record, and not where BackdoorBench keeps "
          + "them either ('\(escaped(record.result.dataPath, limit: 200))'). Name their folder: --data path/to/data."
    case .toolbox:
      "\(path): the clean test images (clean_set/\(ToolboxFiles.dataset(path))/test_split, beside poisoned_train_set) are not "
        + "there. Name the data set: --dataset \(ToolboxFiles.dataset(path)) --data path/to/data."
    case .trojAI: "\(path): name the images with --dataset and --data."
    }
  }

  /// The model's file with what the folder says about it and the file does not, where the user says nothing else.
  public func completed(_ file: ModelFile) throws -> ModelFile {
    var file = file
    guard try ModelSpec.stored(in: file.path) == nil else { return file }
    switch contents {
    case .backdoorBench(let record):
      guard let dataset = record.dataset else { return file }
      file.usualNormalization = .named(dataset.normalization)
      // TorchVision's networks as they are, whatever the size of the images.
      file.stem = file.stem ?? .large
    case .toolbox:
      file.usualNormalization = Self.toolboxNormalization[ToolboxFiles.dataset(path)]
    case .trojAI:
      file.usualNormalization = .named("none")
      file.stem = file.stem ?? .large
    }
    return file
  }

  /// What backdoor-toolbox does to pixels (its `get_transforms`).
  private static let toolboxNormalization: [String: NormalizationSetting] = [
    "cifar10": .named("cifar10"), "imagenette": .named("imagenet"), "imagenet": .named("imagenet"),
    "gtsrb": .values(mean: [0.3337, 0.3064, 0.3171], standardDeviation: [0.2672, 0.2564, 0.2629]),
  ]

  /// Clean images for a defender, where the data set's training images are poisoned ones; nil where they are clean.
  /// - Parameter dataset: the data set's settings.
  public func cleanData(_ dataset: DatasetSettings) throws -> DatasetSettings? {
    guard case .toolbox = contents, dataset.name == "toolbox" else { return nil }
    guard let folder = ToolboxFiles.cleanFolder(path, "clean_split") else {
      throw JobError.invalid(
        "\(path): its training images are poisoned, and the clean ones of a defender "
          + "(clean_set/\(ToolboxFiles.dataset(path))/clean_split) are not there. Name a folder with --clean.")
    }
    var settings = DatasetSettings()
    (settings.name, settings.path) = ("toolbox", folder)
    return settings
  }

  /// Whether the round says that the model was poisoned; nil where nobody says it.
  public func groundTruth() throws -> Bool? {
    if case .trojAI = contents { return try TrojAIFiles.groundTruth(path) }
    return nil
  }

  // MARK: For jobs

  /// What lies around the state dict of a purified model in the program's own files; nil where it has none.
  /// - Parameter note: hears where the program could not load it.
  func frame(around model: Classifier, note: (String) -> Void) -> (frame: TorchFrame, ownKeys: Bool)? {
    guard case .backdoorBench(let record) = contents else { return nil }
    // A network that is not made here under the same name was read from the record, and keeps the record's keys.
    let name = model.spec.flatMap(BackdoorBench.modelName)
    if name == nil, model.layout == nil {
      note("BackdoorBench makes no such network, and cannot load the file. It has \(BackdoorBench.modelWords)")
    }
    return (
      BackdoorBenchResult.defenseFrame(modelName: name ?? record.result.modelName, classes: model.classes), name != nil
    )
  }

  /// A test split with the triggered images in the places of the clean ones. Labels are what the attacker wants of them,
  /// and -1 where there is no trigger. nil where the folder has no triggered images of the test split.
  func triggered(_ clean: ImageDataset) throws -> ImageDataset? {
    if case .backdoorBench(let record) = contents { return try record.triggered(clean) }
    return nil
  }

  /// The training set that the model was trained on.
  /// - Parameters:
  ///   - clean: the data set's training split.
  ///   - dataset: its settings.
  func poisoned(_ clean: ImageDataset, _ dataset: DatasetSettings) throws -> PoisonedDataset {
    switch contents {
    case .backdoorBench(let record): return try record.poisoned(clean)
    case .toolbox:
      return try toolboxSet(clean, dataset)
    case .trojAI:
      throw JobError.invalid(
        "\(path): a TrojAI round does not hold the images that its models were trained on: no samples can be judged, and "
          + "nothing trained on them. Audit the model, or purify it (--defense fst).")
    }
  }

  /// The training set of backdoor-toolbox: the data set itself where that is it, else as many of its images.
  private func toolboxSet(_ clean: ImageDataset, _ dataset: DatasetSettings) throws -> PoisonedDataset {
    let (poison, covers) = try ToolboxFiles.poison(path)
    var (own, places) = (clean, ToolboxFiles.positions(of: clean, in: path))
    if places == nil {
      var settings = DatasetSettings()
      (settings.name, settings.path) = ("toolbox", path)
      (settings.train, settings.size, settings.seed) = (dataset.train, dataset.size, dataset.seed)
      own = try ImageDataset.load(settings, .train)
      places = ToolboxFiles.positions(of: own, in: path)
    }
    guard own.classes == clean.classes else {
      throw JobError.invalid(
        "\(path): the training set has \(own.classes) classes, the data set \(clean.name) \(clean.classes). Name the data "
          + "set that was poisoned with --dataset and --data.")
    }
    guard let places else {
      throw JobError.invalid("\(path): which of its images were loaded cannot be told, so that none can be judged.")
    }
    let numbers = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1, $0) })
    let (indices, coverIndices) = (
      poison.compactMap { numbers[$0] }.sorted(), covers.compactMap { numbers[$0] }.sorted()
    )
    let data = ImageDataset(
      name: clean.name, images: own.images, labels: own.labels, classNames: clean.classNames, sources: own.sources)
    return PoisonedDataset(
      data: data, indices: indices, tasks: indices.map { _ in 0 }, trueLabels: own.labels, covers: coverIndices,
      coverTasks: coverIndices.map { _ in 0 })
  }

  /// Test images on which a trigger shall not work, with their true labels; nil where there are none.
  func crossTest(like clean: ImageDataset) throws -> ImageDataset? {
    if case .backdoorBench(let record) = contents {
      return try record.crossTest(classNames: clean.classNames, like: clean)
    }
    return nil
  }

  /// Images with a trigger that are none of the test split, labelled with what the trigger leads to; nil where there are
  /// none.
  func examples(size: Int?) throws -> ImageDataset? {
    if case .trojAI = contents { return try TrojAIFiles.poisoned(path, size: size) }
    return nil
  }
}
