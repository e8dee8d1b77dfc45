import Attacks
public import Backdoor
public import Files
import Foundation
import Support
import Torch
public import Vision

/// What an attack did to a data set: `poison.json`. It is enough to make the triggers again and measure a model by them.
public struct PoisonManifest: Codable, Sendable {
  public static let fileName = "poison.json"
  public static let supportedFormat = 1

  public var format = PoisonManifest.supportedFormat
  /// The version of antidote that wrote it.
  public var antidote = Machine.version
  public var attack: String
  /// The attack's settings, defaults included.
  public var settings: JSONValue
  /// The seed of the run; the attack's own streams hang below it.
  public var seed: UInt64
  /// The settings of the data set that was poisoned.
  public var dataset: JSONValue
  public var shape: ImageShape
  public var classNames: [String]
  public var trainCount: Int
  public var implants: [ImplantNote]
  public var samples: [Sample]

  /// One trigger.
  public struct ImplantNote: Codable, Sendable {
    public var name: String
    /// In words: `all classes to 0`.
    public var mapping: String
    /// The file with triggered test images, where there is one.
    public var triggeredTest: String?
  }

  /// One poisoned sample.
  public struct Sample: Codable, Sendable {
    /// Position in the training set.
    public var index: Int
    /// Which implant it carries.
    public var implant: Int
    /// The true class of the image, and the label that the attacker gave it.
    public var trueLabel: Int
    public var label: Int
  }

  public init(_ victim: Victim, attack: ExperimentConfiguration.Choice, configuration: ExperimentConfiguration) throws {
    let train = victim.train
    let (labels, trueLabels) = (train.data.labelArray(), train.trueLabels.array(Int64.self).map(Int.init))
    self.attack = attack.name
    settings = attack.settings
    seed = configuration.seed.root
    dataset = try SettingsTree.encode(configuration.dataset)
    shape = train.data.shape
    classNames = train.data.classNames
    trainCount = train.data.count
    implants = victim.implants.map { ImplantNote(name: $0.name, mapping: $0.mapping.description) }
    samples = zip(train.indices, train.implants).map { index, implant in
      Sample(index: index, implant: implant, trueLabel: trueLabels[index], label: labels[index])
    }
  }

  /// - Throws: an error that names the file and what is wrong with it.
  public init(contentsOf path: String) throws {
    guard let data = try FileSystem.readIfPresent(path) else {
      throw JobError.invalid("\(path): no such file. Name the \(Self.fileName) that antidote attack wrote.")
    }
    let tree = try JSONValue(json: data, source: path)
    let mend = "Is it the \(Self.fileName) that antidote attack wrote?"
    if let format = tree["format"]?.intValue, format != Self.supportedFormat {
      throw JobError.invalid(
        "\(path): format \(format), and this version reads format \(Self.supportedFormat). Use the antidote that wrote it.")
    }
    do {
      self = try tree.decode()
    } catch {
      throw JobError.invalid("\(path): \(describeDecoding(error)). \(mend)")
    }
  }

  public func write(to path: String) throws {
    try AtomicFile.write(JSONValue(encoding: self).prettyJSON + "\n", to: path)
  }

  /// The triggers, made again for images of this shape.
  /// - Throws: `SettingsError` for an attack that this version does not know, `JobError` where the images are of another shape.
  ///   What an attack learned is read from the file beside `source`.
  public func makeImplants(for data: ImageDataset, source: String) throws -> [Implant] {
    guard data.shape == shape, data.classes == classNames.count else {
      func text(_ shape: ImageShape, _ classes: Int) -> String { "\(shape.channels)x\(shape.height)x\(shape.width) and \(classes) classes" }
      throw JobError.invalid(
        "\(source) is for images of \(text(shape, classNames.count)); the data set \(data.name) has \(text(data.shape, data.classes)). "
          + "Name the data set that was poisoned (--dataset, --data, --set dataset.size).")
    }
    let known = ClassNames(classNames)
    if let positions = try known.positions(of: ClassNames(data.classNames), source: source, otherSource: "the data set \(data.name)"),
      positions != Array(classNames.indices)
    {
      // The numbers of the targets are those of the manifest's classes.
      throw JobError.invalid(
        "\(source) numbers the classes \(classNames.joined(separator: ", ")); the data set \(data.name) numbers them "
          + "\(data.classNames.joined(separator: ", ")). Name the data set that was poisoned (--dataset, --data).")
    }
    let folder = (source as NSString).deletingLastPathComponent as NSString
    let file = folder.appendingPathComponent(LearnedAttack.fileName)
    let attack = try AttackKind.named(attack).make(settings).attack
    let learned = type(of: attack).learns && FileSystem.exists(file) ? try LearnedAttack.read(file) : [:]
    return try attack.implants(for: shape, seed: Seed(seed).stream("attack"), learned: learned)
  }
}
