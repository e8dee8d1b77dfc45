import Files
import Formats
public import Support
import Torch
public import Vision

/// Writes a backdoored model and the images that it was poisoned with as a run of BackdoorBench, `record/<run>`, which
/// its defenses take: `attack_result.pt`, and the poisoned images as PNG files.
public struct RecordJob {
  public var model: ModelFile
  /// The `poison.json` of a folder that `PoisoningJob` wrote, with the images beside it.
  public var manifest: String
  /// The folder; it must not exist.
  public var output: String

  public init(model: ModelFile, manifest: String, output: String) {
    (self.model, self.manifest, self.output) = (model, manifest, output)
  }

  /// What was written.
  public struct Result {
    /// BackdoorBench's name of the network.
    public let model: String
    /// Poisoned training images, cover samples included, and triggered test images.
    public let train: Int
    public let test: Int
    /// The data set's name and folder where BackdoorBench looks for it.
    public let dataset: String
    public let dataPath: String
  }

  /// - Throws: `JobError` for what BackdoorBench cannot have, such as other data sets or networks; errors of files. There
  ///   is then no folder of that name.
  @discardableResult
  public func run(progress: any ProgressReporter) throws -> Result {
    try OutputCheck.folder(output)
    guard !FileSystem.exists(output) else { throw JobError.outputExists(path: output) }
    let poison = try PoisonManifest(contentsOf: manifest)
    let settings: DatasetSettings
    do {
      settings = try SettingsTree.resolve(DatasetSettings.self, overrides: poison.dataset, at: "dataset")
    } catch {
      throw JobError.invalid("\(manifest): \(error)")
    }
    let dataset = try self.dataset(settings, poison)
    let classifier = try opened(for: dataset, poison, progress)
    guard let spec = classifier.spec, let name = BackdoorBench.modelName(spec) else {
      throw JobError.invalid(
        "\(model.path): BackdoorBench makes no \(classifier.spec.map { "\($0.kind) of width \($0.shape.width)" } ?? "such network") "
          + "for these images. It has \(BackdoorBench.modelWords).")
    }
    let folder = Path.parent(manifest)
    let (train, test) = try images(poison, of: dataset.id, folder: folder)
    var result = BackdoorBenchResult(
      modelName: name, classes: poison.classNames.count, dataset: dataset.name, dataPath: "./data/\(dataset.name)",
      imageSize: [poison.shape.height, poison.shape.width, poison.shape.channels], train: nil,
      test: BackdoorBenchResult.Split(
        count: test.count, positions: test.samples.map(\.index), samples: test.samples))
    let trainSamples = (poison.samples + poison.covers).sorted { $0.index < $1.index }.map {
      BackdoorBenchResult.Sample(index: $0.index, label: $0.label, trueLabel: $0.trueLabel, image: .file(""))
    }
    result.train = BackdoorBenchResult.Split(
      count: train.count, positions: Array(0..<train.count), samples: trainSamples)
    try AtomicFolder.write(to: output) { path in
      try write(
        trainSamples, trainSamples.map { train.images[$0.index] }, to: "\(path)/bd_train_dataset", progress)
      try write(
        test.samples, test.samples.indices.map { test.images[$0] }, to: "\(path)/bd_test_dataset", progress)
      try classifier.save(
        "\(path)/\(BackdoorBenchResult.fileName)", within: result.frame(folder: Self.place(output)), ownKeys: true)
    }
    if !Path.absolute(output).contains("record") {
      progress.message(
        "\(output): BackdoorBench takes folders whose path holds 'record': move it to its record folder before you use it"
      )
    }
    return Result(
      model: name, train: trainSamples.count, test: test.samples.count, dataset: dataset.name,
      dataPath: result.dataPath)
  }

  /// The folder as BackdoorBench names it from its own one.
  static func place(_ output: String) -> String {
    let parts = Path.absolute(output).split(separator: "/").map(String.init)
    guard let record = parts.dropLast().lastIndex(of: "record") else { return "./record/\(parts.last ?? "run")" }
    return "./" + parts[record...].joined(separator: "/")
  }

  // MARK: What fits

  private func dataset(_ settings: DatasetSettings, _ poison: PoisonManifest) throws -> BackdoorBench.Dataset {
    guard let dataset = BackdoorBench.datasets.first(where: { $0.id == settings.name }), settings.name != "folder",
      poison.shape.channels == 3
    else {
      let names = BackdoorBench.datasets.map(\.id).filter { !["folder", "mnist"].contains($0) }
      throw JobError.invalid(
        "\(manifest): the poisoned data set is \(settings.name), which BackdoorBench's networks do not take. Poison one "
          + "of \(names.joined(separator: ", ")).")
    }
    guard poison.shape.height == dataset.side, poison.shape.width == dataset.side else {
      throw JobError.invalid(
        "\(manifest): the images are \(poison.shape.width)x\(poison.shape.height) pixels, and those of \(dataset.name) in "
          + "BackdoorBench \(dataset.side)x\(dataset.side): poison them with --set dataset.size=\(dataset.side).")
    }
    let isSorted = try DatasetKind.named(settings.name).mayBeSorted
    guard !isSorted || (settings.train == nil && settings.test == nil) else {
      throw JobError.invalid(
        "\(manifest): some of the images were drawn (dataset.train, dataset.test), and a record counts all of "
          + "\(dataset.name). Poison the whole data set.")
    }
    if let whole = dataset.trainCount, min(settings.train ?? whole, whole) != poison.trainCount,
      try count(settings) != poison.trainCount
    {
      throw JobError.invalid(
        "\(manifest): \(formatCount(poison.trainCount)) training images, and a record counts all "
          + "\(formatCount(min(settings.train ?? whole, whole))) of the data set. Poison it without the settings that take "
          + "images from the attacker (clean.disjoint, clean.unlabeled).")
    }
    guard poison.tasks.count == 1 else {
      throw JobError.invalid(
        "\(manifest): the attack has \(poison.tasks.count) triggers, and a record of BackdoorBench one.")
    }
    return dataset
  }

  /// Training images of a copy of the data set that may be a reduced one; nil where it is no longer there.
  private func count(_ settings: DatasetSettings) throws -> Int? {
    guard let path = settings.path, FileSystem.exists(path) else { return nil }
    return try ImageDataset.load(settings, .train).count
  }

  private func opened(
    for dataset: BackdoorBench.Dataset, _ poison: PoisonManifest, _ progress: any ProgressReporter
  ) throws -> Classifier {
    guard FileSystem.exists(model.path) else {
      throw JobError.invalid("\(model.path): no such file. Name the model that was trained on the poisoned images.")
    }
    guard try ModelSpec.stored(in: model.path) != nil else {
      throw JobError.invalid(
        "\(model.path): the file does not say which architecture and normaliser it has. Take a model that antidote train "
          + "or antidote run wrote.")
    }
    var options = model.options
    options.onNote = { progress.message($0) }
    let classifier = try Classifier.open(model.path, options: options)
    try model.checkWidth(of: classifier)
    guard classifier.classes == poison.classNames.count else {
      throw JobError.invalid(
        "\(model.path): the model has \(classifier.classes) classes, the poisoned data set \(poison.classNames.count).")
    }
    if let names = classifier.classNames {
      let order = try ClassNames(names).positions(
        of: ClassNames(poison.classNames), source: model.source, otherSource: manifest)
      guard order == nil || order == Array(names.indices) else {
        throw JobError.invalid(
          "\(model.path): the model has its classes in another order than \(manifest). Take the model that was trained on "
            + "these images.")
      }
    }
    let wanted = try NormalizationSetting.named(dataset.normalization).values(channels: 3)
    guard classifier.normalization == wanted else {
      throw JobError.invalid(
        "\(model.path): the model normalises pixels by \(classifier.normalization.words), and BackdoorBench those of "
          + "\(dataset.name) by \(wanted.words): train it with --set model.normalization=\(dataset.normalization).")
    }
    guard classifier.shrinkPad == nil else {
      throw JobError.invalid(
        "\(model.path): the model shrinks and pads its images first (shrink-pad), which a state dict cannot say.")
    }
    return classifier
  }

  // MARK: Images

  private func images(
    _ poison: PoisonManifest, of dataset: String, folder: String
  ) throws -> (
    train: ImageDataset, test: (images: Tensor, samples: [BackdoorBenchResult.Sample], count: Int)
  ) {
    var settings = DatasetSettings()
    (settings.name, settings.path) = ("tensors", folder)
    guard let file = poison.tasks[0].triggeredTest, FileSystem.exists(Path.join(folder, file)),
      FileSystem.exists(Path.join(folder, "train.safetensors"))
    else {
      throw JobError.invalid(
        "\(manifest): the images with the trigger are not beside it. A record needs the folder that antidote attack wrote: "
          + "train.safetensors, test.safetensors and test-triggered.safetensors.")
    }
    let train = try ImageDataset.load(settings, .train), test = try ImageDataset.load(settings, .test)
    let triggered = try Safetensors.load(Path.join(folder, file))
    func numbers(_ key: String) -> [Int64]? {
      guard let tensor = triggered[key], tensor.dtype == .int64, tensor.shape.count == 1 else { return nil }
      return tensor.array(Int64.self)
    }
    guard let pixels = triggered["images"], pixels.dtype == .uint8, pixels.shape.count == 4,
      let labels = numbers("labels"), let targets = numbers("targets"), let positions = numbers("positions"),
      Set([pixels.dimension(0), labels.count, targets.count, positions.count]).count == 1,
      train.count == poison.trainCount, positions.allSatisfy({ (0..<Int64(test.count)).contains($0) }),
      (poison.samples + poison.covers).allSatisfy({ (0..<train.count).contains($0.index) })
    else {
      throw JobError.invalid(
        "\(folder): its files do not belong together: the numbers or kinds of images differ. Poison the data set again."
      )
    }
    let order = BackdoorBench.order(test.labelArray(), of: dataset, isTest: true)
    var places = [Int](repeating: 0, count: order.count)
    for (place, position) in order.enumerated() { places[position] = place }
    let samples = positions.indices.map {
      BackdoorBenchResult.Sample(
        index: places[Int(positions[$0])], label: Int(targets[$0]), trueLabel: Int(labels[$0]), image: .file(""))
    }
    return (train, (pixels, samples, test.count))
  }

  private func write(
    _ samples: [BackdoorBenchResult.Sample], _ images: [Tensor], to folder: String, _ progress: any ProgressReporter
  ) throws {
    for label in Set(samples.map(\.trueLabel)) { try FileSystem.createFolder("\(folder)/\(label)") }
    progress.begin("png", total: samples.count, unit: "images")
    defer { progress.end(summary: "\(formatCount(samples.count)) files in \(Path.name(folder))") }
    for (number, sample) in samples.enumerated() {
      let name = BackdoorBenchResult.Split.fileName((sample.index, sample.trueLabel))
      try AtomicFile.write(DecodedImage(images[number]).encodePNG(), to: "\(folder)/\(name)", isDurable: false)
      progress.update(done: number + 1)
      if number % 64 == 0 { try Interruption.check() }
    }
  }
}
