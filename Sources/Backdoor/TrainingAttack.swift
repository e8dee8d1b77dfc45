public import Support
public import Torch
import TorchNN
import Training
public import Vision

/// An attack whose author trains the backdoored model, and gives the model away instead of data.
///
/// What it learns is the model, as tensors `model.<key>`, and beside it what its final trigger needs. That trigger is
/// what the model is measured by. It also makes the poisoned training set, afterwards: nobody trains the model on that
/// set, but filters and training-time defenses, which need data, get to see it.
///
/// The model is trained by the context's recipe, as that of an attack that poisons data would be.
public protocol TrainingAttack: Attack where Configuration: PoisoningSettings {
  /// Trains the model, and the trigger with it where it is learned. Its stages have names that begin with `attack-`.
  /// - Parameter model: new, on the context's device; is left trained.
  /// - Returns: what `tasks(for:seed:learned:)` needs; no key begins with `model.`.
  /// - Throws: `BackdoorError`, `TrainingError`, `Interrupted`.
  func train(_ model: Classifier, _ context: AttackContext) throws -> [String: Tensor]
}

extension TrainingAttack {
  public static var learns: Bool { true }

  public func learn(_ context: AttackContext) throws -> [String: Tensor] {
    try checkLearning(on: context.train, seed: context.seed)
    let model = try context.makeModel("init")
    let trigger = try train(model, context)
    let weights = model.stateDict().copied().entries.map { ("\(TrainedModel.prefix)\($0.key)", $0.tensor.to(.cpu)) }
    return trigger.merging(weights) { $1 }
  }

  public func run(_ context: AttackContext, learned: [String: Tensor]) throws -> AttackOutcome {
    let tasks = try tasks(for: context.train.shape, seed: context.seed, learned: learned)
    let train = try PoisonedDataset(poisoning: context.train, with: tasks, selection: selection, seed: context.seed)
    return AttackOutcome(
      train: train, tasks: tasks, model: try model(context, learned), summary: summary(learned: learned))
  }

  public func summary(learned: [String: Tensor]) -> String { TrainedModel.summary }

  private func model(_ context: AttackContext, _ learned: [String: Tensor]) throws -> Classifier {
    let state = StateDict(learned.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
      .stripping(prefix: TrainedModel.prefix)
    guard state.count > 0 else { throw BackdoorError.notLearned(attack: Self.id, key: "model") }
    let model = try context.makeModel("init")
    try model.load(state, source: "the model that \(Self.id) trained")
    model.classNames = context.train.classNames
    return model.eval()
  }

  /// Refuses what would fail after training: labels that the attack cannot give, rates that the set cannot hold.
  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    let mapping = configuration.labelMapping
    switch configuration.mapping {
    case .allToOne, .allToAll, .pairFlip: try mapping.check(classes: train.classes)
    case .sourceToTarget, .cleanLabel:
      throw BackdoorError.invalid(
        "attack.mapping \(configuration.mapping.rawValue): \(Self.id) controls training, and triggers images of all "
          + "classes. Choose all-to-one, all-to-all or pair-flip.")
    }
    try checkSources(in: train, mapping: mapping, seed: seed)
  }
}

private enum TrainedModel {
  static let prefix = "model."
  static let summary =
    "carry the trigger as it was at the end of training. The attacker trained the model with batches of their own; this "
    + "set, made by the final trigger, is what filters and training-time defenses get to see"
}
