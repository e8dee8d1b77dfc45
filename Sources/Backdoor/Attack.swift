public import Support
public import Training
public import Torch
import TorchNN
public import Vision

/// What an attacker has.
public struct AttackContext {
  /// The clean training set.
  public let train: ImageDataset
  /// The attack's own source of randomness.
  public let seed: Seed
  public let training: TrainingContext
  /// How the backdoored model is trained; for attacks that train it themselves.
  public let recipe: Recipe
  private let architecture: Architecture?

  /// - Parameter architecture: the architecture that the attacker expects; for attacks that train networks of their
  ///   own.
  public init(
    train: ImageDataset, seed: Seed, training: TrainingContext, architecture: Architecture? = nil,
    recipe: Recipe = Recipe()
  ) {
    self.train = train
    self.seed = seed
    self.training = training
    self.architecture = architecture
    self.recipe = recipe
  }

  /// A new network of the attacked architecture, on the context's device, in channels-last layout.
  /// - Parameter name: of its random stream; another name gives other weights.
  /// - Throws: `BackdoorError` where no architecture was given.
  public func makeModel(_ name: String) throws -> Classifier {
    guard let architecture else {
      throw BackdoorError.invalid("this attack trains networks: give AttackContext an architecture to make them.")
    }
    let model = try architecture(Generator(seed: seed(name)))
    model.to(training.device).to(.channelsLast)
    return model
  }

  /// The positions of the samples that are to be poisoned, at least one.
  /// - Throws: `BackdoorError` where the set cannot hold the rate, or the rate is no image.
  public func sources(mapping: LabelMapping, selection: PoisonSelection) throws(BackdoorError) -> [Int] {
    let found = try PoisonedDataset.sources(in: train, mapping: mapping, selection: selection, seed: seed)
    guard !found.isEmpty else {
      throw .invalid("attack.rate \(selection.rate): that is no image of \(train.count). Raise it.")
    }
    return found
  }

  /// A network that the attacker trains on the clean set, in evaluation mode. Its stage is `attack-surrogate`.
  public func surrogate(_ recipe: Recipe, for attack: String) throws -> Classifier {
    let model = try makeModel("\(attack)/surrogate")
    try Trainer(recipe, stage: "attack-surrogate").train(model, on: train, context: training)
    return model.eval()
  }
}

/// What an attack leaves behind.
public struct AttackOutcome {
  public let train: PoisonedDataset
  /// The triggers, for evaluation.
  public let tasks: [BackdoorTask]
  /// The backdoored model of a `TrainingAttack`; nil where training on `train` makes it.
  public let model: Classifier?
  /// What was done to the poisoned images, in words that follow on "500 images": `carry the trigger`.
  public let summary: String

  public init(
    train: PoisonedDataset, tasks: [BackdoorTask], model: Classifier? = nil, summary: String = "carry the trigger"
  ) {
    self.train = train
    self.summary = summary
    self.tasks = tasks
    self.model = model
  }
}

/// An attack. A value: its configuration is all that it is.
public protocol Attack: Sendable {
  associatedtype Configuration: Configurable
  /// Name on the command line.
  static var id: String { get }
  static var summary: String { get }
  /// Where it was published.
  static var paper: String { get }

  var configuration: Configuration { get }
  init(_ configuration: Configuration)

  /// Whether `learn` does anything.
  static var learns: Bool { get }
  /// Whether `learn` trains networks, which takes more than moments.
  static var trainsNetworks: Bool { get }
  /// What costs the attacker networks and hours: tensors by name, from which the rest follows at once. They are kept
  /// with the run and with the poisoned data. Its stages have names that begin with `attack-`. By default: nothing.
  /// - Throws: `BackdoorError`, `TrainingError`, `Interrupted`.
  func learn(_ context: AttackContext) throws -> [String: Tensor]
  /// Finds out, in moments, whether `learn` can begin, before networks are trained. By default: whether the set holds
  /// the images that settings of `PoisoningSettings` ask for.
  /// - Parameter seed: the attack's own, as in `AttackContext`.
  /// - Throws: `BackdoorError` as `learn` does.
  func checkLearning(on train: ImageDataset, seed: Seed) throws
  /// The triggers for images of this shape. The same configuration, seed and tensors give the same triggers, so that a
  /// record of them is enough to evaluate a model later.
  /// - Parameter learned: what `learn` gave.
  /// - Throws: `BackdoorError` if the configuration or the tensors do not fit the images.
  func tasks(for shape: ImageShape, seed: Seed, learned: [String: Tensor]) throws -> [BackdoorTask]
  /// How samples are chosen.
  var selection: PoisonSelection { get }
  /// What was done to the poisoned images, in words that follow on "500 images".
  /// - Parameter learned: what `learn` gave.
  func summary(learned: [String: Tensor]) -> String
  /// What the attack does to the training set. Conformers implement it; callers use `execute`. By default: stamps the
  /// triggers on chosen samples.
  func run(_ context: AttackContext, learned: [String: Tensor]) throws -> AttackOutcome
}

extension Attack {
  public static var learns: Bool { false }
  public static var trainsNetworks: Bool { learns }
  public func learn(_ context: AttackContext) throws -> [String: Tensor] { [:] }

  public func checkLearning(on train: ImageDataset, seed: Seed) throws {
    guard let mapping = (configuration as? any PoisoningSettings)?.labelMapping else { return }
    try checkSources(in: train, mapping: mapping, seed: seed)
  }

  /// For attacks that learn.
  /// - Throws: `BackdoorError` where the rate is no image, or the set cannot hold the images that this mapping draws.
  public func checkSources(in train: ImageDataset, mapping: LabelMapping, seed: Seed) throws(BackdoorError) {
    guard selection.rate > 0 else {
      throw .invalid("attack.rate \(selection.rate): that is no image of \(train.count). Raise it.")
    }
    let task = BackdoorTask(name: "", trigger: NoTrigger(), mapping: mapping, cover: NoTrigger())
    try PoisonedDataset.check(poisoning: train, with: [task], selection: selection, seed: seed)
  }

  public func summary(learned: [String: Tensor]) -> String { "carry the trigger" }

  /// The triggers of an attack that learns nothing.
  public func tasks(for shape: ImageShape, seed: Seed) throws -> [BackdoorTask] {
    try tasks(for: shape, seed: seed, learned: [:])
  }

  public func run(_ context: AttackContext, learned: [String: Tensor]) throws -> AttackOutcome {
    let tasks = try tasks(for: context.train.shape, seed: context.seed, learned: learned)
    let train = try PoisonedDataset(poisoning: context.train, with: tasks, selection: selection, seed: context.seed)
    return AttackOutcome(train: train, tasks: tasks, summary: summary(learned: learned))
  }

  /// Finds out, in moments, whether the attack can poison a training set: classes, rates, and triggers that fit the
  /// images. What the attack learns may still fail.
  /// - Parameter seed: the attack's own, as in `AttackContext`.
  /// - Throws: `BackdoorError` as `execute` does.
  public func checkPoisoning(of train: ImageDataset, seed: Seed) throws {
    if Self.learns { return try checkLearning(on: train, seed: seed) }
    let tasks = try tasks(for: train.shape, seed: seed, learned: [:])
    try PoisonedDataset.check(poisoning: train, with: tasks, selection: selection, seed: seed)
  }

  /// Checks what every attack promises, and runs it.
  /// - Parameter learned: what `learn` gave before; nil calls it.
  /// - Throws: `BackdoorError`, and what `learn` throws.
  public func execute(_ context: AttackContext, learned: [String: Tensor]? = nil) throws -> AttackOutcome {
    guard context.train.count > 0 else { throw BackdoorError.invalid("\(Self.id): the training set is empty.") }
    guard (0...1).contains(selection.rate) else {
      throw BackdoorError.invalid("attack.rate \(selection.rate): a rate is between 0 and 1.")
    }
    guard (0...1).contains(selection.coverRate) else {
      throw BackdoorError.invalid("attack.coverRate \(selection.coverRate): a rate is between 0 and 1.")
    }
    let outcome = try run(context, learned: learned ?? learn(context))
    require(
      outcome.train.data.images.shape == context.train.images.shape, "\(Self.id) changed the shape of the data set")
    return outcome
  }
}
