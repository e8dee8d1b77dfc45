import Files
public import Support
public import Training
public import Vision

/// When a defense acts.
public enum DefenseStage: String, Sendable, Codable {
  /// Before training: filters samples.
  case data
  /// Trains a clean model on poisoned data.
  case training
  /// Purifies a trained model.
  case model
  /// Guards a model at test time.
  case input
}

/// What a defense may ask for.
public enum Resource: String, Sendable, Codable, CaseIterable {
  /// The training set, which may be poisoned.
  case poisonedTrain = "poisoned training set"
  /// A trained model, which may be backdoored.
  case model
  /// A few clean labelled images.
  case cleanSplit = "clean split"
  /// Clean images without labels.
  case unlabeled = "unlabeled images"
  /// Which training samples are poisoned. Only an experiment knows: what asks for it is an oracle, not a defense.
  case truth = "true list of poisoned samples"
}

public enum DefenseError: Error, CustomStringConvertible, Sendable {
  case missing(defense: String, resource: Resource)
  case notGranted(Resource)
  case noArchitecture
  case invalid(String)

  public var description: String {
    switch self {
    case .missing(let defense, .unlabeled):
      "defense \(defense) needs \(Resource.unlabeled.rawValue), and there are none: --set clean.unlabeled=0.8 takes so "
        + "many from the data set."
    case .missing(let defense, .truth):
      "defense \(defense) is an oracle: it needs the \(Resource.truth.rawValue), which an experiment alone has: "
        + "antidote run."
    case .missing(let defense, let resource): "defense \(defense) needs a \(resource.rawValue), and none was given."
    case .notGranted(let resource): "the defense uses a \(resource.rawValue) without declaring it in `requires`."
    case .noArchitecture:
      "the defense trains a model, and no architecture was given; pass `architecture: { try spec.make($0) }`."
    case .invalid(let text): text
    }
  }
}

/// A defense. A value: its configuration is all that it is.
public protocol Defense: Sendable {
  associatedtype Configuration: Configurable
  /// Name on the command line.
  static var id: String { get }
  static var summary: String { get }
  /// Where it was published.
  static var paper: String { get }
  static var stage: DefenseStage { get }
  static var requires: Set<Resource> { get }
  /// Settings under a name, where others than the paper use the method otherwise.
  static var presets: [SettingsPreset] { get }

  var configuration: Configuration { get }
  init(_ configuration: Configuration)

  func run(_ input: DefenseInput) throws -> DefenseOutcome

  /// Time of an epoch beside one of standard training on as many images (`antidote bench --rows epoch`, or
  /// counted from its forward and backward passes). By default 1.
  static var epochCost: Double { get }
  /// The stages that `run` is going to do, as far as they are known before, to tell how long it takes.
  func plannedWork(_ size: DefenseSize) -> [PlannedWork]
}

extension Defense {
  public static var presets: [SettingsPreset] { [] }

  /// The defaults with the settings of a preset over them.
  /// - Throws: `SettingsError` for a name that is none of `presets`.
  public static func configuration(preset name: String) throws(SettingsError) -> Configuration {
    let named: JSONValue = [SettingsPreset.key: .string(name)]
    let overrides = try SettingsPreset.applied(named, among: presets, of: "defense \(id)", at: "").overrides
    return try SettingsTree.resolve(overrides: overrides)
  }

  /// Purifies a model with clean images: the whole of a post-training defense in one call. The given model stays as it
  /// is.
  /// - Parameters:
  ///   - model: the suspect, taking pixels in [0, 1].
  ///   - clean: images that the user trusts.
  ///   - context: device, precision, seed, progress and checkpoints.
  /// - Throws: `DefenseError` if this defense needs more than a model and clean images, or gives no model.
  public func purify(_ model: Classifier, clean: ImageDataset, context: TrainingContext = TrainingContext()) throws
    -> Classifier
  {
    let input = try DefenseInput(
      for: Self.self, training: context, seed: context.seed.stream("defense"), model: model, cleanSplit: clean)
    guard let purified = try run(input).model else { throw DefenseError.invalid("defense \(Self.id) gives no model.") }
    return purified
  }

  /// Trains a clean model on data that may be poisoned: the whole of a training-time defense in one call.
  /// - Parameters:
  ///   - data: images and labels that nobody has checked.
  ///   - architecture: what to train, such as `{ try spec.make($0) }`.
  ///   - unlabeled: clean images without labels, for defenses that use them.
  ///   - context: device, precision, seed, progress and checkpoints.
  /// - Returns: the model, and what the defense found out about the samples.
  /// - Throws: `DefenseError` if this defense needs more than that.
  public func train(
    on data: ImageDataset, architecture: @escaping Architecture, unlabeled: ImageDataset? = nil,
    context: TrainingContext = TrainingContext()
  ) throws -> DefenseOutcome {
    let input = try DefenseInput(
      for: Self.self, training: context, seed: context.seed.stream("defense"), architecture: architecture,
      poisonedTrain: data,
      unlabeled: unlabeled)
    return try run(input)
  }
}
