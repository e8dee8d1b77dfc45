public import Audit
import Files
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

/// Trains clean models and writes their statistics as a bank for audits. Each model has its own seed, its own random
/// part of the training images and one of nine recipes, so that an audited model, were it clean, could be one of them.
///
/// A measured model is kept in a file of its own beside the bank, in `OUT.parts`, until the bank is there: the same job
/// goes on where an earlier process stopped, and several processes can work on it, each on models of its own.
public struct CalibrationJob {
  public var configuration: ExperimentConfiguration
  public var settings = AuditSettings()
  /// How many models.
  public var models = 20
  /// Share of the training images that each model learns from.
  public var share = 0.8
  /// The bank's file; it must not exist.
  public var output: String
  /// Measures models in processes of their own; nil measures them here, one after the other.
  public var processes: CalibrationProcesses?

  /// Factors of learning rate and weight decay; model i has the rate i mod 3 and the decay i mod 2.
  static let rates = [1.0, 0.6, 1.6]
  static let decays = [1.0, 0.2]
  /// Every fourth model sees its images as they are, without crops and flips: margins are larger then, and beside models
  /// that were all trained with them it would stand out as a backdoored one does.
  static let plain = 4

  public init(_ configuration: ExperimentConfiguration, output: String) {
    self.configuration = configuration
    self.output = output
  }

  /// - Throws: `JobError`, `AuditError`, `DataError`, `TrainingError`, `RunStoreError`, `Interrupted`; there is then no
  ///   file of that name.
  public func run(progress: any ProgressReporter) throws -> ReferenceBank {
    try OutputCheck.file(output)
    guard !FileSystem.exists(output) else { throw JobError.outputExists(path: output) }
    guard models >= BankScore.least else {
      throw JobError.invalid("--models \(models): a bank needs at least \(BankScore.least) clean models.")
    }
    guard share > 0, share <= 1 else { throw JobError.invalid("--share is a part of the images, not \(share).") }
    let images = try images(progress)
    let identity = try identity(images.train)
    var members = try (0..<models).map { try part($0, identity) }
    let missing = members.indices.filter { members[$0] == nil }
    if missing.count < models {
      progress.message("\(models - missing.count) of \(models) clean models are there already")
    }
    if let processes, missing.count > 1 {
      try processes.run(missing, of: models, logs: partsFolder, progress: progress)
      for number in missing { members[number] = try part(number, identity) }
    }
    let rest = members.indices.filter { members[$0] == nil }
    progress.plan(plannedWork(rest, images))
    for number in rest {
      progress.message("clean model \(number + 1) of \(models)")
      members[number] = try measure(number, images, identity, progress)
    }
    let bank = ReferenceBank(
      settings: settings, dataset: images.train.name, classNames: images.train.classNames,
      imageShape: [images.train.channels, images.train.height, images.train.width],
      images: min(images.test.count, settings.images), members: members.compactMap { $0 })
    if let problem = bank.problem { throw JobError.invalid("\(partsFolder): \(problem)") }
    try bank.write(to: output)
    FileSystem.removeWhole(partsFolder)
    return bank
  }

  /// Trains and measures one of the models, and keeps it in its file: what a process of `processes` does.
  /// - Throws: as `run`.
  public func run(part number: Int, progress: any ProgressReporter) throws {
    let images = try images(progress)
    let identity = try identity(images.train)
    guard try part(number, identity) == nil else { return }
    progress.plan(plannedWork([number], images))
    _ = try measure(number, images, identity, progress)
  }

  // MARK: Parts

  private var partsFolder: String { Path.withoutFinalSlash(output) + ".parts" }
  private func partPath(_ number: Int) -> String { "\(partsFolder)/model-\(number).json" }

  /// A measured model with what it was made with.
  private struct Part: Codable {
    var identity: String
    var member: ReferenceBank.Member
  }

  /// The measured model of that number; nil if there is none yet.
  /// - Throws: `JobError` for one that was made with other settings or is damaged.
  private func part(_ number: Int, _ identity: JSONValue) throws -> ReferenceBank.Member? {
    let path = partPath(number)
    guard let bytes = try FileSystem.readIfPresent(path) else { return nil }
    guard let part = try? JSONValue(json: bytes, source: path).decode(Part.self),
      part.identity == Digest.sha256Hex(identity.canonicalJSON)
    else {
      throw JobError.invalid(
        "\(partsFolder) keeps models of a calibration with other images or settings (\(Path.name(path))). Give those to go "
          + "on with it, choose another file with --out, or remove the folder to start over.")
    }
    return part.member
  }

  private func measure(
    _ number: Int, _ images: (train: ImageDataset, test: ImageDataset), _ identity: JSONValue,
    _ progress: any ProgressReporter
  ) throws -> ReferenceBank.Member {
    let path = partPath(number)
    let context = try configuration.makeContext(
      progress: progress, goingOnFrom: JobFolder.earlier(output: path))
    return try JobFolder(output: path, identity: identity).perform(context) { _ in
      let member = try BankMeasurer(settings: settings, context: context).member(
        "measured", name: "seed \(number)", recipe: words(number),
        make: { (try self.model(number, images.train, context), images.test, nil) }, images: { _ in images.test })
      let part = Part(identity: Digest.sha256Hex(identity.canonicalJSON), member: member)
      try AtomicFile.write(try JSONValue(encoding: part).prettyJSON + "\n", to: path)
      return member
    }
  }

  private func identity(_ train: ImageDataset) throws -> JSONValue {
    var identity = try configuration.identity(job: "calibrate", images: train, ["model", "recipe"])
    identity["audit"] = try JSONValue(encoding: settings)
    identity["share"] = .double(share)
    return identity
  }

  // MARK: Images

  /// The training images, and others to measure on: the test split, or where there is none a fifth of the images, at
  /// most as many as an audit uses.
  private func images(_ progress: any ProgressReporter) throws -> (train: ImageDataset, test: ImageDataset) {
    let splits = try DatasetSplits.load(configuration.dataset) { progress.message($0) }
    if let test = splits.test { return (splits.train, test) }
    let count = min(settings.images, max(AuditImages.least, splits.train.count / 5))
    let held = splits.train.sample(count: count, seed: configuration.seed, stream: "calibrate/held-out")
    return (splits.train.subset(splits.train.complement(of: held)), splits.train.subset(held))
  }

  // MARK: Models

  /// Each model is trained and measured.
  private func plannedWork(
    _ numbers: [Int], _ images: (train: ImageDataset, test: ImageDataset)
  ) -> [PlannedWork] {
    let passes = Double(configuration.recipe.epochs) * (share * Double(images.train.count)).rounded()
    let measured = min(settings.images, images.test.count)
    let measuring = AuditMeasurement.plannedWork(
      BankMeasurer.stage, settings, search: measured / 2, heldOut: measured - measured / 2, quick: false,
      classes: images.train.classes)
    return numbers.flatMap { [PlannedWork(Self.stage($0), images: passes), measuring] }
  }

  private static func stage(_ number: Int) -> String { "train-\(number)" }

  /// The configuration of a model: one of nine recipes.
  func varied(_ number: Int) -> ExperimentConfiguration {
    var c = configuration
    c.recipe.learningRate *= Self.rates[number % Self.rates.count]
    c.recipe.weightDecay *= Self.decays[number % Self.decays.count]
    if number % Self.plain == Self.plain - 1 { (c.recipe.crop, c.recipe.flip) = (0, false) }
    return c
  }

  private func words(_ number: Int) -> String {
    let recipe = varied(number).recipe
    return "\(configuration.recipeName), \(recipe.epochs) epochs, learning rate \(recipe.learningRate), weight decay "
      + "\(recipe.weightDecay), \(recipe.crop == 0 && !recipe.flip ? "no crops and flips, " : "")"
      + "\(AuditResult.percent(share)) of the training images"
  }

  private func model(_ number: Int, _ train: ImageDataset, _ context: TrainingContext) throws -> Classifier {
    let seed = context.seed.stream("calibrate/\(number)")
    let own = TrainingContext(
      device: context.device, precision: context.autocastType == nil ? .float32 : .bfloat16, seed: seed,
      progress: context.progress, checkpoints: context.checkpoints)
    let part = train.subset(train.sample(share, seed: seed, stream: "images"))
    return try varied(number).train(on: part.to(context.device), stage: Self.stage(number), context: own)
      .prepared(for: context)
  }
}
