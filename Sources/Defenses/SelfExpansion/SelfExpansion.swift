// Self-expansion and compatibility (Jin, Sun, Rinard: Provable Guarantees against Data Poisoning Using Self-Expansion
// and Compatibility, later Incompatibility Clustering as a Defense Against Backdoor Poisoning Attacks, ICLR 2023).
//
// Data that generalise to each other stick together: inverse self-paced learning (algorithm 2, ComponentSearch) takes
// the training set apart into components that are all clean or all poisoned; a weak learner for each votes on all
// samples (BoostingVote); a model that learned from the accepted ones gives back rejected samples that it would label
// alike; a fresh model learns from what is left.
//
// Where the paper is silent: every round and learner starts from weights of its own; losses are measured in evaluation
// mode and without augmentation (augmentedScores); the subsample is drawn without replacement, once an iteration;
// shares are rounded to the nearest whole sample; the number of iterations is rounded down; kept shares above 1 are 1;
// weak learners have a constant learning rate and the usual crop and flip. Where appendix B.1 and algorithm 2 differ
// (fixed size or additional samples of each class) the appendix is right: components vary in size.
//
// The authors' code (charlesjin/compatibility_clustering) differs from the paper in what a round does (pacing), in how
// votes are counted (minimumVotes) and in self-training (review, selfTraining, reviewEpochs). With augmentedScores,
// these settings make its procedure. What is not taken over: quantiles that are interpolated between two losses, and
// final training of 200 epochs.
//
// With little training components collapse to the few classes that are learned first, and learners then vote for these
// alone: SmallSetWarning says so. Where the published budget (24 learners of 40 epochs on 6,000 samples each) is out
// of reach, classDivisor 1 balances the components. Measured (10,000 images of CIFAR-10, PreAct-ResNet18 width 8, one
// bag, one-cycle learners of 12 epochs, 102 of 1,000 cats replaced by marked cars): 8 rounds with the paper's divisor
// spread the poison over 6 components; 4 rounds of share .2 with divisor 1 put 99 of 102 into the last one.

public import Backdoor
public import Support
public import Training
import Vision

public struct SelfExpansion: Defense {
  public static let id = "self-expansion"
  public static let summary = "Trains on samples that compatible parts of the training set vouch for."
  public static let paper = "Jin et al. 2021, Self-Expansion and Compatibility; ICLR 2023, Incompatibility Clustering"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]

  public struct Configuration: Configurable, Hashable {
    public var filter = ExpansionSettings()
    public var recipe = Recipe.selfExpansion
    public init() {}
    public static let settings: [Setting] = [
      Setting("filter", "How compatible samples are found.", nested: ExpansionSettings.self),
      Setting(
        "recipe", "Training of the final model on them.",
        source: "paper: SGD .02, 100 epochs, /10 at 75 and 90; authors' code: batch 128",
        nested: Recipe.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let training = PlannedWork(Self.id, images: Double(configuration.recipe.epochs * size.train))
    return configuration.filter.plannedWork(size) + [training]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let filter = try CompatibilityFilter(configuration.filter, input, path: "defense.filter")
    let found = try filter.run()
    guard !found.kept.isEmpty else {
      throw DefenseError.invalid(
        "self-expansion rejected every sample: the weak learners agree with no label. Give them more epochs "
          + "(defense.filter.learner.epochs) or larger components (defense.filter.share).")
    }
    var outcome = found.outcome
    let model = try input.makeModel(Self.id)
    try Trainer(configuration.recipe, stage: Self.id).train(
      model, on: filter.data.subset(found.kept), context: input.training)
    outcome.model = model
    return outcome
  }
}

/// The first half of self-expansion: says which samples to train on.
public struct InverseSelfPacedLearning: Defense {
  public static let id = "ispl"
  public static let summary = "Rejects samples that compatible parts of the training set do not vouch for."
  public static let paper = SelfExpansion.paper
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain]

  public let configuration: ExpansionSettings
  public init(_ configuration: ExpansionSettings = ExpansionSettings()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    configuration.plannedWork(size)
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    try CompatibilityFilter(configuration, input, path: "defense").run().outcome
  }
}

extension ExpansionSettings {
  /// The filter's stages, if no bag ends before its last round.
  func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let train = Double(size.train)
    let turns = Double(bags * rounds * max(1, baseIterations + extraIterations))
    let members = Double(bags * rounds * learners) * min(1, share)
    return [
      PlannedWork(ComponentSearch.stage, images: turns * 1.25 * train, cost: 0.6),
      PlannedWork(WeakLearners.stage, images: members * Double(learner.epochs) * train),
      PlannedWork(
        SelfTraining.stage, images: Double(selfTraining * (reviewEpochs ?? learner.epochs)) * train),
    ]
  }
}
