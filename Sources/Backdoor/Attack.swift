public import Support
public import Training
import Torch
public import Vision

/// What an attacker has.
public struct AttackContext {
  /// The clean training set.
  public let train: ImageDataset
  /// The attack's own source of randomness.
  public let seed: Seed
  public let training: TrainingContext

  public init(train: ImageDataset, seed: Seed, training: TrainingContext) {
    self.train = train
    self.seed = seed
    self.training = training
  }
}

/// What an attack leaves behind.
public struct Victim {
  public let train: PoisonedDataset
  /// The triggers, for evaluation.
  public let implants: [Implant]
  /// The backdoored model of an attack that controls training; nil where training on `train` makes it.
  public let model: Classifier?

  public init(train: PoisonedDataset, implants: [Implant], model: Classifier? = nil) {
    self.train = train
    self.implants = implants
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

  /// The triggers for images of this shape. The same configuration and seed give the same triggers, so that a record of both is enough
  /// to evaluate a model later.
  /// - Throws: `BackdoorError` if the configuration does not fit the images.
  func implants(for shape: ImageShape, seed: Seed) throws -> [Implant]
  /// How samples are chosen.
  var selection: PoisonSelection { get }
  /// The idea of the attack; call `execute`. By default: stamps the implants on chosen samples.
  func run(_ context: AttackContext) throws -> Victim
}

/// The shape of a data set's images.
public struct ImageShape: Sendable, Hashable, Codable {
  public var channels: Int
  public var height: Int
  public var width: Int
  public init(channels: Int, height: Int, width: Int) {
    self.channels = channels
    self.height = height
    self.width = width
  }
}

extension ImageDataset {
  public var shape: ImageShape { ImageShape(channels: channels, height: height, width: width) }
}

extension Attack {
  public func run(_ context: AttackContext) throws -> Victim {
    let implants = try implants(for: context.train.shape, seed: context.seed)
    let train = try PoisonedDataset(poisoning: context.train, with: implants, selection: selection, seed: context.seed)
    return Victim(train: train, implants: implants)
  }

  /// Checks what every attack promises, and runs it.
  /// - Throws: `BackdoorError`.
  public func execute(_ context: AttackContext) throws -> Victim {
    guard context.train.count > 0 else { throw BackdoorError.invalid("\(Self.id): the training set is empty.") }
    guard (0...1).contains(selection.rate) else {
      throw BackdoorError.invalid("attack.rate \(selection.rate): a rate is between 0 and 1.")
    }
    let victim = try run(context)
    require(victim.train.data.images.shape == context.train.images.shape, "\(Self.id) changed the shape of the data set")
    return victim
  }
}
