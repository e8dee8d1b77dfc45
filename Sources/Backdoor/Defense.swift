public import Support
public import Torch
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
}

/// What a defense gets: what it requires and nothing else.
public struct DefenseInput {
  public let training: TrainingContext
  public let seed: Seed
  private let resources: Set<Resource>
  private let trainSet: ImageDataset?
  private let suspect: Classifier?
  private let cleanSet: ImageDataset?
  private let unlabeledSet: ImageDataset?

  /// Hands over those resources that `defense` requires.
  /// - Throws: `DefenseError.missing` if one that it requires is not given.
  public init(
    for defense: any Defense.Type, training: TrainingContext, seed: Seed, poisonedTrain: ImageDataset? = nil, model: Classifier? = nil,
    cleanSplit: ImageDataset? = nil, unlabeled: ImageDataset? = nil
  ) throws(DefenseError) {
    self.training = training
    self.seed = seed
    resources = defense.requires
    trainSet = resources.contains(.poisonedTrain) ? poisonedTrain : nil
    suspect = resources.contains(.model) ? model : nil
    cleanSet = resources.contains(.cleanSplit) ? cleanSplit : nil
    unlabeledSet = resources.contains(.unlabeled) ? unlabeled : nil
    let given: [(Resource, Bool)] = [
      (.poisonedTrain, trainSet != nil), (.model, suspect != nil), (.cleanSplit, (cleanSet?.count ?? 0) > 0),
      (.unlabeled, unlabeledSet != nil),
    ]
    for (resource, present) in given where resources.contains(resource) && !present {
      throw .missing(defense: defense.id, resource: resource)
    }
  }

  public func poisonedTrain() throws(DefenseError) -> ImageDataset { try granted(.poisonedTrain, trainSet) }
  public func model() throws(DefenseError) -> Classifier { try granted(.model, suspect) }
  public func cleanSplit() throws(DefenseError) -> ImageDataset { try granted(.cleanSplit, cleanSet) }
  public func unlabeled() throws(DefenseError) -> ImageDataset { try granted(.unlabeled, unlabeledSet) }

  private func granted<T>(_ resource: Resource, _ value: T?) throws(DefenseError) -> T {
    guard let value else { throw .notGranted(resource) }
    return value
  }
}

public enum DefenseError: Error, CustomStringConvertible, Sendable {
  case missing(defense: String, resource: Resource)
  case notGranted(Resource)
  case invalid(String)

  public var description: String {
    switch self {
    case .missing(let defense, let resource): "defense \(defense) needs a \(resource.rawValue), and none was given."
    case .notGranted(let resource): "the defense uses a \(resource.rawValue) without declaring it in `requires`."
    case .invalid(let text): text
    }
  }
}

/// What a defense found or made.
public struct DefenseOutcome {
  /// A model that is meant to be clean.
  public var model: Classifier?
  /// A sample filter's decision: positions in the training set.
  public var filtered: (kept: [Int], rejected: [Int])?
  /// Suspicion per training sample; higher is more suspicious.
  public var suspicion: [Double]?
  /// Pictures that show what the defense did.
  public var exhibits: [Exhibit] = []

  public init(
    model: Classifier? = nil, filtered: (kept: [Int], rejected: [Int])? = nil, suspicion: [Double]? = nil, exhibits: [Exhibit] = []
  ) {
    self.model = model
    self.filtered = filtered
    self.suspicion = suspicion
    self.exhibits = exhibits
  }
}

/// Clean images with what a defense added to them.
public struct Exhibit {
  public let title: String
  /// uint8 N x C x H x W.
  public let images: Tensor
  /// Float N x C x H x W, in pixels.
  public let perturbations: Tensor
  public let labels: [Int]

  public init(title: String, images: Tensor, perturbations: Tensor, labels: [Int]) {
    self.title = title
    self.images = images
    self.perturbations = perturbations
    self.labels = labels
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

  var configuration: Configuration { get }
  init(_ configuration: Configuration)

  func run(_ input: DefenseInput) throws -> DefenseOutcome
}

extension Defense {
  /// Purifies a model with clean images: the whole of a post-training defense in one call. The given model stays as it is.
  /// - Parameters:
  ///   - model: the suspect, taking pixels in [0, 1].
  ///   - clean: images that the user trusts.
  ///   - context: device, precision, seed, progress and checkpoints.
  /// - Throws: `DefenseError` if this defense needs more than a model and clean images, or gives no model.
  public func purify(_ model: Classifier, clean: ImageDataset, context: TrainingContext = TrainingContext()) throws -> Classifier {
    let input = try DefenseInput(
      for: Self.self, training: context, seed: context.seed.stream("defense"), model: model, cleanSplit: clean)
    guard let purified = try run(input).model else { throw DefenseError.invalid("defense \(Self.id) gives no model.") }
    return purified
  }
}
