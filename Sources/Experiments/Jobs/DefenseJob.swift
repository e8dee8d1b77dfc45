import Backdoor
import Files
import Foundation
public import Evaluation
public import Support
public import Vision
import Torch
import TorchNN
import Training

/// Applies a defense to a model file, or trains a defended model, and writes the result as one file. The same job goes
/// on where an earlier process stopped, to the same bits.
public struct DefenseJob {
  public var configuration: ExperimentConfiguration
  /// The suspect; nil for defenses that train a model themselves.
  public var model: ModelFile?
  /// The data set of the defender's clean images, all of its training split; nil draws them from the configuration's
  /// data set as its `clean` settings say.
  public var cleanData: DatasetSettings?
  public var triggers: TriggerSource
  /// Another program's folder, whose poisoned training set takes the place of the data set's; nil uses that.
  private var record: RecordFolder? { if case .record(let record) = triggers { record } else { nil } }
  /// The model's file; of a sample filter its table of all training samples (CSV).
  public var output: String
  /// Where the table of all training samples goes besides, for defenses that judge them while they train.
  public var samples: String?
  /// Where checkpoints are kept; nil is `<output>.work`.
  public var work: String?

  /// What came out.
  public struct Result {
    /// nil of a sample filter.
    public let model: Classifier?
    /// Positions in the training set, where the defense filtered it.
    public let filtered: (kept: [Int], rejected: [Int])?
    /// How well the defense told poisoned samples from others; nil where it judges none or nobody knows which they are.
    public let detection: DetectionMetrics?
    public let cleanCount: Int
    /// On the test split; nil where there is none, and `before` also where there was no model before.
    public let before: BackdoorMetrics?
    public let after: BackdoorMetrics?
    /// How the suspect's normaliser was found; nil where its file or the user says it.
    public let normalization: NormalizationFit?
    /// What the defense said about the model, in a sentence, if it judges models.
    public let verdict: String?
    /// What was not measured, and therefore is not known, in a sentence.
    public let unmeasured: String?
  }

  public init(
    _ configuration: ExperimentConfiguration, model: ModelFile?, cleanData: DatasetSettings? = nil,
    triggers: TriggerSource = .none,
    output: String, samples: String? = nil, work: String? = nil
  ) {
    self.configuration = configuration
    self.model = model
    self.cleanData = cleanData
    self.triggers = triggers
    self.output = output
    self.samples = samples
    self.work = work
  }

  /// - Throws: `JobError`, `DataError`, `ClassNameError`, `DefenseError`, `TrainingError`, `RunStoreError`,
  ///   `Interrupted`; there is then no file of that name.
  public func run(progress: any ProgressReporter) throws -> Result {
    guard let kind = try configuration.makeDefense().map({ type(of: $0) }) else {
      throw Self.nothingToDo
    }
    if kind.requires.contains(.model), model == nil {
      throw JobError.invalid(
        kind.stage == .data
          ? "defense \(kind.id) judges samples by a model that was trained on them: name its file with --model."
          : "defense \(kind.id) purifies a model: name its file with --model.")
    }
    if let model, !kind.requires.contains(.model) {
      throw JobError.invalid(
        "defense \(kind.id) trains a model of its own on the images and does not look at the weights in \(model.path). "
          + "Leave out --model (--set model.name and --width choose the architecture), or choose a defense that "
          + "purifies a model, such as sau.")
    }
    if kind.requires.contains(.truth) { throw DefenseError.missing(defense: kind.id, resource: .truth) }
    let context = try configuration.makeContext(
      progress: progress, goingOnFrom: JobFolder.earlier(at: work, output: output))
    try OutputCheck.file(output)
    if let samples {
      guard kind.stage != .data else {
        throw JobError.invalid(
          "defense \(kind.id) judges samples and trains no model: --out names the table of them. Leave out --samples.")
      }
      guard kind.requires.contains(.poisonedTrain) else {
        throw JobError.invalid("defense \(kind.id) purifies a model and judges no samples. Leave out --samples.")
      }
      try OutputCheck.file(samples)
      if FileSystem.exists(samples), JobFolder.earlier(at: work, output: output) == nil {
        throw JobError.outputExists(path: samples)
      }
      guard samples != output else { throw JobError.invalid("--samples and --out name one file. Give each its own.") }
    }
    var (images, poison) = try loadData(kind, progress)
    let (test, clean, names) = (images.test, images.clean, images.names)
    var unlabeled: ImageDataset?
    if kind.requires.contains(.unlabeled) {
      let positions = configuration.clean.unlabeledPositions(in: images.train, seed: configuration.seed)
      let found = try configuration.clean.unlabeledImages(positions, of: images.train, seed: configuration.seed) {
        progress.message($0)
      }
      guard let found else {
        throw JobError.invalid(
          "defense \(kind.id) uses images without labels: --set clean.unlabeled=0.8 takes so many from the data set, "
            + "clean.unlabeledFrom and clean.unlabeledPath name another one.")
      }
      unlabeled = found.to(context.device)
      let left = images.train.complement(of: positions)
      images.train = images.train.subset(left)
      poison = poison?.subset(left)
    }
    let train = images.train
    // A filter has no clean images: it looks at all that there are.
    let usesClean = kind.requires.contains(.cleanSplit)
    let opened = try model?.opened(
      for: clean, classes: train.classNames, labelled: usesClean && clean.count > 0 ? clean : train,
      seed: configuration.seed, progress: progress)
    let suspect = opened?.model
    // Settings number classes as the data set does, the data now as the model does.
    let order = try ClassNames(train.classNames).positions(
      of: ClassNames(names), source: model?.source ?? "the model", otherSource: "the data set \(train.name)")
    guard let defense = try configuration.makeDefense(renumbering: order) else { throw Self.nothingToDo }
    var identity = try configuration.identity(
      job: "defend", images: kind.requires.contains(.poisonedTrain) ? train : clean,
      ["defense"] + (model == nil ? ["model"] : []))
    identity["model"] = "none"
    try model?.identify(&identity, normalization: opened?.normalization)
    identity["cleanImages"] = .string(clean.fingerprint)
    if let unlabeled { identity["unlabeledImages"] = .string(unlabeled.fingerprint) }
    if let samples { FileSystem.removeLeftovers(in: Path.parent(samples)) }
    return try JobFolder(at: work, output: output, identity: identity).perform(context) { folder in
      let measurer = try test.map { test in
        ModelMeasurer(
          try triggers.evaluator(
            configuration, for: test, stored: images.triggered, named: names, on: context.device
          ).evaluator)
      }
      suspect?.prepared(for: context)
      if usesClean { progress.message(Self.words(clean)) }
      let before = try suspect.flatMap { try measurer?.measure($0, context).metrics }
      EpochObserver(every: configuration.evaluation.every, measurer: measurer).observe(context)
      let data = train.to(context.device)
      context.progress.plan(
        defense.plannedWork(
          DefenseSize(
            train: train.count, clean: clean.count, unlabeled: unlabeled?.count ?? 0, classes: train.classes)))
      let input = try DefenseInput(
        for: kind, training: context, seed: context.seed.stream("defense"),
        architecture: { try configuration.makeModel(for: data, $0) }, poisonedTrain: data, model: suspect,
        cleanSplit: clean.to(context.device), unlabeled: unlabeled)
      let outcome = try defense.run(input)
      let findings = SampleFindings(
        outcome, data: data, poisoned: poison?.indices ?? [], covers: poison?.covers ?? [])
      if let table = outcome.model == nil ? output : samples {
        if findings.hasJudgements {
          try FileSystem.createFolder(Path.parent(table))
          try folder.publish(table) { try AtomicFile.write(findings.table(in: Path.parent(table)), to: table) }
        } else {
          progress.message("defense \(kind.id) judges no samples: \(table) is not written")
        }
      }
      if let warning = findings.warning { progress.message(warning) }
      if let model = outcome.model {
        try folder.publish(output) { try save(model, progress) }
      }
      return Result(
        model: outcome.model, filtered: outcome.filtered, detection: poison == nil ? nil : findings.detection,
        cleanCount: usesClean ? clean.count : 0, before: before,
        after: try outcome.model.flatMap { try measurer?.measure($0, context).metrics },
        normalization: opened?.fit,
        verdict: outcome.verdict.map {
          RunRecord.ModelVerdict($0).sentence(naming: suspect?.classNames ?? clean.classNames)
        }, unmeasured: outcome.model == nil ? nil : unmeasured(hasStored: images.triggered != nil))
    }
  }

  /// How many clean images there are, and which classes have none.
  private static func words(_ clean: ImageDataset) -> String {
    let present = Set(clean.labelArray())
    let missing = clean.classNames.indices.filter { !present.contains($0) }.map { clean.classNames[$0] }
    var text = "clean images: \(formatCount(clean.count)) of \(clean.classes - missing.count) classes"
    text += ", \(clean.height)x\(clean.width)"
    guard !missing.isEmpty, clean.count > 0 else { return text }
    return text
      + "\nwarning: no clean image is of \(formatNames(missing)): what the model knows of these classes may be lost"
  }

  /// Writes the model, for PyTorch as the file that it came from, and into the folder of another program as its own.
  private func save(_ model: Classifier, _ progress: any ProgressReporter) throws {
    func note(_ text: String) { progress.message("\(output): \(text)") }
    if TensorFile.writesPyTorch(output), let (frame, ownKeys) = record?.frame(around: model, note: note) {
      return try model.save(output, within: frame, ownKeys: ownKeys)
    }
    model.layout?.notes.forEach(note)
    try model.save(output)
  }

  /// A defense does not see the trigger: without one there is nothing to tell a cured model from one that is not.
  /// - Parameter hasStored: whether there are images with triggers that were put on elsewhere.
  private func unmeasured(hasStored: Bool) -> String? {
    switch triggers {
    case .manifest, .attack: return nil
    case .record where hasStored: return nil
    case .record(let record):
      return "The record has no test images with triggers, so attack success was not measured: whether a backdoor is "
        + "left in the model, these numbers do not say. antidote evaluate --model \(output) measures it: with --record "
        + "\(record.path) by the poisoned examples of a TrojAI round, else with --attack or --poison."
    case .none: break
    }
    return "No trigger is known, so attack success was not measured: whether a backdoor is left in the model, these "
      + "numbers do not say. --poison names the poison.json of a trigger to measure by."
  }

  private static var nothingToDo: JobError { .invalid("defense.name: none does nothing. Choose a defense.") }

  /// The splits as the model sees them: with the same channels and classes, the model's where its file says what they
  /// are.
  private struct Images {
    var train: ImageDataset
    var test: ImageDataset?
    /// The test images with triggers that were put on elsewhere.
    var triggered: ImageDataset?
    var clean: ImageDataset
    /// The classes in the data set's own order.
    let names: [String]
  }

  /// The data set's splits and the clean images; then which training samples are poisoned, where a record says it.
  private func loadData(
    _ defense: any Defense.Type, _ progress: any ProgressReporter
  ) throws -> (Images, PoisonedDataset?) {
    var settings = configuration.dataset
    // A verdict on every sample; and what nobody has checked tells little as test images.
    if defense.requires.contains(.poisonedTrain) { settings.holdOut = settings.holdOut ?? 0 }
    func fitted(_ data: ImageDataset, _ progress: any ProgressReporter) throws -> ImageDataset {
      try model?.fitted(data, settings: settings, progress: progress) ?? data
    }
    let splits = try DatasetSplits.load(model?.sized(settings) ?? settings) { progress.message($0) }
    let poisoned =
      defense.requires.contains(.poisonedTrain)
      ? try record?.poisoned(splits.train, settings) ?? triggers.poisoned(splits.train, settings) : nil
    if let poisoned {
      progress.message(
        "training images: \(formatCount(poisoned.data.count)), of which \(formatCount(poisoned.indices.count)) are "
          + "poisoned by \(record.map { "the record \($0.path)" } ?? triggers.path ?? "")")
    } else if defense.stage == .data, let path = triggers.path {
      progress.message(
        "\(path) tells nothing of these images: it numbers those of train.safetensors beside it, which --dataset tensors "
          + "--data \(ShellWord.quoted(Path.parent(path))) reads")
    }
    let train = try fitted(poisoned?.data ?? splits.train, progress)
    var images = Images(
      train: train, test: try splits.test.map { try fitted($0, SilentProgress()) },
      triggered: try splits.test.flatMap { try triggers.stored(for: $0) }.map { try fitted($0, SilentProgress()) },
      clean: train, names: splits.train.classNames)
    guard var cleanData else {
      images.clean = try cleanSplit(defense, train)
      return (images, poisoned)
    }
    cleanData.holdOut = cleanData.holdOut ?? 0
    let clean = try fitted(
      ImageDataset.load(model?.sized(cleanData) ?? cleanData, .train) { progress.message($0) }
        .namingIdentifiers(of: configuration.dataset), progress
    )
    .numbered(
      as: train.classNames, of: "the data set \(settings.path ?? train.name)",
      ownSource: "the clean images \(cleanData.path ?? cleanData.name)"
    ) { progress.message($0) }
    let channels = max(clean.channels, train.channels)
    if clean.channels != train.channels {
      progress.message(
        "gray images of \(clean.channels == 1 ? "the clean set" : train.name) become three equal channels")
    }
    images.clean = clean.withChannels(channels)
    images.train = train.withChannels(channels)
    images.test = images.test?.withChannels(channels)
    images.triggered = images.triggered?.withChannels(channels)
    guard clean.height == train.height, clean.width == train.width else {
      throw JobError.invalid(
        "\(cleanData.path ?? cleanData.name): the clean images are \(clean.width)x\(clean.height) pixels, those of "
          + "the data set \(train.name) \(train.width)x\(train.height). Give the side that all are resized to: "
          + "--set dataset.size=\(min(train.width, train.height)).")
    }
    return (images, poisoned)
  }

  private func cleanSplit(_ defense: any Defense.Type, _ train: ImageDataset) throws -> ImageDataset {
    if defense.requires.isSuperset(of: [.poisonedTrain, .cleanSplit]) {
      throw JobError.invalid(
        "defense \(defense.id) needs clean images besides the suspicious ones: name their folder with --clean.")
    }
    return train.subset(configuration.clean.positions(in: train, seed: configuration.seed))
  }
}
