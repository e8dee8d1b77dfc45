public import Audit
import Files
import Foundation
public import Support
import Torch
import TorchNN
import Training
import Vision

/// Trains clean models and writes their statistics as a bank for audits. Each model has its own seed, its own random
/// part of the training images and one of six recipes, so that an audited model, were it clean, could be one of them.
/// The same job goes on where an earlier process stopped.
public struct CalibrationJob {
  public var configuration: ExperimentConfiguration
  public var settings = AuditSettings()
  /// How many models.
  public var models = 20
  /// Share of the training images that each model learns from.
  public var share = 0.8
  /// The bank's file; it must not exist.
  public var output: String

  /// Factors of learning rate and weight decay; model i has the rate i mod 3 and the decay i mod 2.
  static let rates = [1.0, 0.6, 1.6]
  static let decays = [1.0, 0.2]

  public init(_ configuration: ExperimentConfiguration, output: String) {
    self.configuration = configuration
    self.output = output
  }

  /// - Throws: `JobError`, `DataError`, `TrainingError`, `RunStoreError`, `Interrupted`; there is then no file of that
  ///   name.
  public func run(progress: any ProgressReporter) throws -> ReferenceBank {
    try OutputCheck.file(output)
    guard models >= BankScore.least else {
      throw JobError.invalid("--models \(models): a bank needs at least \(BankScore.least) clean models.")
    }
    guard share > 0, share <= 1 else { throw JobError.invalid("--share is a part of the images, not \(share).") }
    let context = try configuration.makeContext(
      progress: progress, goingOnFrom: JobFolder.earlier(output: output))
    let splits = try DatasetSplits.load(configuration.dataset) { progress.message($0) }
    let (train, test) = Self.apart(splits, most: settings.images, seed: context.seed)
    var identity = try configuration.identity(job: "calibrate", images: train, ["model", "recipe"])
    identity["audit"] = try JSONValue(encoding: settings)
    identity["share"] = .double(share)
    let folder = try JobFolder(output: output, identity: identity)
    return try folder.perform(context) {
      let measurer = BankMeasurer(settings: settings, context: context)
      let members = try (0..<models).map { number in
        progress.message("clean model \(number + 1) of \(models)")
        let member = try measurer.member(
          "clean-\(number)", name: "seed \(number)", recipe: words(number),
          make: { (try self.model(number, train, context), test, nil) }, images: { _ in test })
        folder.checkpoints.remove(stage: Self.stage(number))
        return member
      }
      let bank = ReferenceBank(
        settings: settings, dataset: train.name, classNames: train.classNames,
        imageShape: [train.channels, train.height, train.width], images: min(test.count, settings.images),
        members: members)
      if let problem = bank.problem { throw JobError.invalid(problem) }
      try bank.write(to: output)
      return bank
    }
  }

  /// The training images, and others to measure on: the test split, or where there is none a fifth of the images, at
  /// most as many as an audit uses.
  private static func apart(
    _ splits: DatasetSplits, most: Int, seed: Seed
  ) -> (train: ImageDataset, test: ImageDataset) {
    if let test = splits.test { return (splits.train, test) }
    let count = min(most, max(AuditImages.least, splits.train.count / 5))
    let held = splits.train.sample(count: count, seed: seed, stream: "calibrate/held-out")
    return (splits.train.subset(splits.train.complement(of: held)), splits.train.subset(held))
  }

  private static func stage(_ number: Int) -> String { "train-\(number)" }

  /// The configuration of a model: one of six recipes.
  func varied(_ number: Int) -> ExperimentConfiguration {
    var c = configuration
    c.recipe.learningRate *= Self.rates[number % Self.rates.count]
    c.recipe.weightDecay *= Self.decays[number % Self.decays.count]
    return c
  }

  private func words(_ number: Int) -> String {
    let recipe = varied(number).recipe
    return "\(configuration.recipeName), \(recipe.epochs) epochs, learning rate \(recipe.learningRate), weight decay "
      + "\(recipe.weightDecay), \(AuditResult.percent(share)) of the training images"
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
