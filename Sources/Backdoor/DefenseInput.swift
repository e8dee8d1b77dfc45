public import Support
public import Torch
import TorchNN
public import Training
public import Vision

/// A new model with random weights on the CPU, in training mode.
public typealias Architecture = (_ generator: Generator) throws -> Classifier

/// What a defense gets: what it requires and nothing else.
public struct DefenseInput {
  public let training: TrainingContext
  public let seed: Seed
  private let architecture: Architecture?
  private let resources: Set<Resource>
  private let trainSet: ImageDataset?
  private let suspect: Classifier?
  private let cleanSet: ImageDataset?
  private let unlabeledSet: ImageDataset?
  private let poisoned: Set<Int>?

  /// Hands over those resources that `defense` requires.
  /// - Parameters:
  ///   - architecture: what a defense that trains should train.
  ///   - truth: positions of the poisoned samples in the training set, for oracles; nil where nobody knows.
  /// - Throws: `DefenseError.missing` if one that it requires is not given.
  public init(
    for defense: any Defense.Type, training: TrainingContext, seed: Seed, architecture: Architecture? = nil,
    poisonedTrain: ImageDataset? = nil, model: Classifier? = nil, cleanSplit: ImageDataset? = nil,
    unlabeled: ImageDataset? = nil, truth: Set<Int>? = nil
  ) throws(DefenseError) {
    self.training = training
    self.seed = seed
    self.architecture = architecture
    resources = defense.requires
    trainSet = resources.contains(.poisonedTrain) ? poisonedTrain : nil
    suspect = resources.contains(.model) ? model : nil
    cleanSet = resources.contains(.cleanSplit) ? cleanSplit : nil
    unlabeledSet = resources.contains(.unlabeled) ? unlabeled : nil
    poisoned = resources.contains(.truth) ? truth : nil
    let given: [(Resource, Bool)] = [
      (.poisonedTrain, trainSet != nil), (.model, suspect != nil), (.cleanSplit, (cleanSet?.count ?? 0) > 0),
      (.unlabeled, unlabeledSet != nil), (.truth, poisoned != nil),
    ]
    for (resource, present) in given where resources.contains(resource) && !present {
      throw .missing(defense: defense.id, resource: resource)
    }
  }

  public func poisonedTrain() throws(DefenseError) -> ImageDataset { try granted(.poisonedTrain, trainSet) }
  public func model() throws(DefenseError) -> Classifier { try granted(.model, suspect) }
  public func cleanSplit() throws(DefenseError) -> ImageDataset { try granted(.cleanSplit, cleanSet) }
  public func unlabeled() throws(DefenseError) -> ImageDataset { try granted(.unlabeled, unlabeledSet) }
  /// Positions of the poisoned samples in the training set.
  public func truth() throws(DefenseError) -> Set<Int> { try granted(.truth, poisoned) }

  /// A new model of the architecture that the user chose, on the context's device, in channels-last layout.
  /// - Parameter name: of its random stream; another name gives other weights.
  /// - Throws: `DefenseError.noArchitecture` where none was given.
  public func makeModel(_ name: String = "init") throws -> Classifier {
    guard let architecture else { throw DefenseError.noArchitecture }
    let model = try architecture(Generator(seed: seed(name)))
    model.to(training.device).to(.channelsLast)
    return model
  }

  private func granted<T>(_ resource: Resource, _ value: T?) throws(DefenseError) -> T {
    guard let value else { throw .notGranted(resource) }
    return value
  }
}
