public import Backdoor
import Files
import Foundation
public import Support
public import Torch
public import Training
public import Vision

/// The data of one experiment: what the attacker made of the training set, and what the defender has.
public struct Cell {
  static let stage = "train"

  public let configuration: ExperimentConfiguration
  /// nil where there is no attack.
  public let attackOutcome: AttackOutcome?
  /// What the backdoored model is trained on, poisoned or not.
  public let trainSet: ImageDataset
  /// The defender's clean images.
  public let cleanSplit: ImageDataset
  /// The defender's images without labels; nil where there are none.
  public let unlabeled: ImageDataset?

  /// Loads train and test data; both must be there.
  public static func loadData(
    _ c: ExperimentConfiguration, on device: Device, progress: any ProgressReporter
  ) throws -> (train: ImageDataset, test: ImageDataset) {
    let start = Date()
    let splits = try DatasetSplits.load(c.dataset) { progress.message($0) }
    guard let test = splits.test?.to(device) else {
      throw JobError.invalid(
        "\(c.dataset.path ?? c.dataset.name): there are no test images to measure on: dataset.holdOut is 0, and there is no "
          + "test split. Leave it out, and a part of the images is held out."
      )
    }
    let train = splits.train.to(device)
    // An attack may compute for hours before a model is made.
    _ = try c.model.spec(for: train)
    progress.message(
      "data: \(c.dataset.name), \(formatCount(train.count)) training and \(formatCount(test.count)) test images, "
        + "\(train.height)x\(train.width), \(train.classes) classes, in "
        + "\(formatDuration(Date().timeIntervalSince(start)))"
    )
    return (train, test)
  }

  /// - Parameter attackFile: where what the attack learns is kept, and taken from if it is there; nil keeps nothing.
  public init(
    _ c: ExperimentConfiguration, data: (train: ImageDataset, test: ImageDataset), context: TrainingContext,
    attackFile: String? = nil
  ) throws {
    configuration = c
    let seed = context.seed
    cleanSplit = data.train.subset(c.clean.positions(in: data.train, seed: seed))
    let withoutLabels = c.clean.unlabeledPositions(in: data.train, seed: seed)
    unlabeled = try c.clean.unlabeledImages(withoutLabels, of: data.train, seed: seed) { context.progress.message($0) }
    if c.attack != nil, let position = data.train.misleadingClass {
      context.progress.message(
        "warning: classes are named by numbers other than their positions: class \(position) is called "
          + "\(data.train.classNames[position]). A number as attack.target is a position; text in quotes is a name.")
    }
    let attackers = Self.attackersImages(c, train: data.train, seed: seed)
    attackOutcome = try c.makeAttack().map { attack in
      let context = AttackContext(
        train: attackers, seed: seed.stream("attack"), training: context,
        architecture: { try c.makeModel(for: attackers, $0) }, recipe: c.recipe)
      return try Self.execute(attack, context, attackFile)
    }
    trainSet = attackOutcome?.train.data ?? attackers
  }

  /// What the attacker has of the clean training set: what the defender has not for themselves.
  /// - Parameter seed: the run's.
  public static func attackersImages(_ c: ExperimentConfiguration, train: ImageDataset, seed: Seed) -> ImageDataset {
    attackersPositions(c, train: train, seed: seed).map { train.subset($0) } ?? train
  }
  /// Their positions; nil for the whole set.
  static func attackersPositions(_ c: ExperimentConfiguration, train: ImageDataset, seed: Seed) -> [Int]? {
    let clean = c.clean.disjoint ? c.clean.positions(in: train, seed: seed) : []
    let taken = clean + c.clean.unlabeledPositions(in: train, seed: seed)
    return taken.isEmpty ? nil : train.complement(of: taken)
  }

  private static func execute(_ attack: some Attack, _ context: AttackContext, _ file: String?) throws -> AttackOutcome
  {
    try attack.execute(context, learned: LearnedAttack.tensors(of: attack, context, at: file))
  }

  /// Trains the model that the attacker wants: on the poisoned data, or on clean data where there is no attack. An
  /// attack that controls training has trained it.
  public func trainBackdooredModel(context: TrainingContext) throws -> Classifier {
    if let model = attackOutcome?.model { return model }
    return try configuration.train(on: trainSet, stage: Self.stage, context: context)
  }

  /// What the attacker did, for `poison.json`; nil where there is no attack.
  func manifest() throws -> PoisonManifest? {
    guard let attackOutcome, let attack = configuration.attack else { return nil }
    return try PoisonManifest(attackOutcome, attack: attack, configuration: configuration)
  }

  /// The same for the record.
  var poisonSummary: RunRecord.Poison? {
    guard let attackOutcome, let attack = configuration.attack else { return nil }
    let mapping = attackOutcome.tasks.map { $0.mapping.description(naming: trainSet.classNames) }
    let names = attackOutcome.tasks.map(\.name).joined(separator: ", ")
    let count = attackOutcome.train.indices.count
    let covers = attackOutcome.train.covers.count
    let covering = covers == 0 ? "" : " \(formatCount(covers)) cover samples keep their true labels."
    return RunRecord.Poison(
      attack: attack.name,
      summary:
        "\(formatCount(count)) of \(formatCount(trainSet.count)) training images "
        + "(\(formatPercent(attackOutcome.train.rate))) "
        + "\(attackOutcome.summary) (\(names)).\(covering)",
      rate: attack.settings["rate"]?.doubleValue ?? attackOutcome.train.rate, poisonedCount: count,
      coverCount: covers == 0 ? nil : covers, attackerTrains: attackOutcome.model == nil ? nil : true,
      mapping: Array(Set(mapping)).sorted().joined(separator: "; "),
      targetLabel: attackOutcome.tasks.count == 1 ? attackOutcome.tasks[0].mapping.singleTarget : nil)
  }
}
