import Attacks
public import Backdoor
public import Evaluation
public import Files
import Foundation
import Support
import Torch
public import Vision

/// What an attack did to a data set: `poison.json`. It is enough to make the triggers again and measure a model by
/// them.
public struct PoisonManifest: Codable, Sendable {
  public static let fileName = "poison.json"
  public static let supportedFormat = 3

  public var format = PoisonManifest.supportedFormat
  /// The version of antidote that wrote it.
  public var antidote = Machine.version
  public var attack: String
  /// The attack's settings, defaults included.
  public var settings: JSONValue
  /// SHA-256 of the file that the setting `image` names, where it names one: the trigger is made of it again.
  public var imageSHA256: String?
  /// The seed of the run; the attack's own streams hang below it.
  public var seed: UInt64
  /// The settings of the data set that was poisoned.
  public var dataset: JSONValue
  public var shape: ImageShape
  public var classNames: [String]
  public var trainCount: Int
  public var tasks: [TaskNote]
  public var samples: [Sample]
  /// Cover samples: changed images that kept their true labels.
  public var covers: [Sample]

  /// One trigger.
  public struct TaskNote: Codable, Sendable {
    public var name: String
    /// In words: `all classes to 0 (airplane)`.
    public var mapping: String
    /// The file with triggered test images, where there is one.
    public var triggeredTest: String?
    /// How visible the trigger is on test images, where there are some.
    public var visibility: Visibility?
  }

  /// One poisoned or cover sample.
  public struct Sample: Codable, Sendable {
    /// Position in the training set.
    public var index: Int
    /// Which backdoor task it belongs to.
    public var task: Int
    /// The true class of the image, and the label that the attacker gave it.
    public var trueLabel: Int
    public var label: Int
  }

  public init(_ outcome: AttackOutcome, attack: ExperimentConfiguration.Choice, configuration: ExperimentConfiguration)
    throws
  {
    let train = outcome.train
    let (labels, trueLabels) = (train.data.labelArray(), train.trueLabels.array(Int64.self).map(Int.init))
    self.attack = attack.name
    settings = attack.settings
    if let image = settings["image"]?.stringValue {
      settings["image"] = .string(Path.absolute(image))
      imageSHA256 = try Digest.sha256Hex(file: image)
    }
    seed = configuration.seed.root
    dataset = try SettingsTree.encode(configuration.dataset)
    shape = train.data.shape
    classNames = train.data.classNames
    trainCount = train.data.count
    tasks = outcome.tasks.map {
      TaskNote(name: $0.name, mapping: $0.mapping.description(naming: train.data.classNames))
    }
    samples = zip(train.indices, train.tasks).map { index, task in
      Sample(index: index, task: task, trueLabel: trueLabels[index], label: labels[index])
    }
    covers = zip(train.covers, train.coverTasks).map { index, task in
      Sample(index: index, task: task, trueLabel: trueLabels[index], label: labels[index])
    }
  }

  /// - Throws: an error that names the file and what is wrong with it.
  public init(contentsOf path: String) throws {
    guard let data = try FileSystem.readIfPresent(path) else {
      throw JobError.invalid("\(path): no such file. Name the \(Self.fileName) that antidote attack wrote.")
    }
    let tree = Self.current(try JSONValue(json: data, source: path))
    let fix = "Is it the \(Self.fileName) that antidote attack wrote?"
    if let format = tree["format"]?.intValue, format != Self.supportedFormat {
      throw JobError.invalid(
        "\(path): format \(format), and this version reads format \(Self.supportedFormat). Use the antidote that "
          + "wrote it."
      )
    }
    do {
      self = try tree.decode()
    } catch {
      throw JobError.invalid("\(path): \(describeDecoding(error)). \(fix)")
    }
    if let problem { throw JobError.invalid("\(path): \(problem). \(fix)") }
  }

  /// What cannot be; nil where nothing is wrong.
  private var problem: String? {
    if trainCount < 0 { return "trainCount is \(trainCount)" }
    if tasks.isEmpty { return "tasks is empty" }
    for (name, list) in [("samples", samples), ("covers", covers)] {
      for (number, sample) in list.enumerated() {
        let parts = [
          ("index", sample.index, trainCount), ("task", sample.task, tasks.count),
          ("trueLabel", sample.trueLabel, classNames.count), ("label", sample.label, classNames.count),
        ]
        if let (key, value, count) = parts.first(where: { !(0..<$0.2).contains($0.1) }) {
          return "\(name)[\(number)].\(key) is \(value), expected 0 to \(count - 1)"
        }
      }
    }
    return nil
  }

  /// The tree of a file of an earlier format in the present one; any other as it is. In format 1 tasks had another name;
  /// formats 1 and 2 know no cover samples.
  private static func current(_ tree: JSONValue) -> JSONValue {
    guard let format = tree["format"]?.intValue, format == 1 || format == 2 else { return tree }
    var tree = tree
    tree["format"] = .int(supportedFormat)
    tree["covers"] = .array([])
    if format == 2 { return tree }
    tree["tasks"] = tree["implants"] ?? .null
    tree["samples"] = .array(
      (tree["samples"]?.arrayValue ?? []).map { sample in
        var sample = sample
        sample["task"] = sample["implant"] ?? .null
        return sample
      })
    return tree
  }

  public func write(to path: String) throws {
    try AtomicFile.write(JSONValue(encoding: self).prettyJSON + "\n", to: path)
  }

  /// The triggers, made again for images of this shape. Their targets are numbered as `classNames`.
  /// - Throws: `SettingsError` for an attack that this version does not know, `JobError` where the images are of
  ///   another shape or the trigger's picture is not the one that it was. Gray triggers serve colour images of equal
  ///   channels, too. What an attack learned is read from the file beside `source`.
  public func makeTasks(for data: ImageDataset, source: String) throws -> [BackdoorTask] {
    let isGray = shape.channels == 1 && data.hasEqualChannels
    guard (data.shape.height, data.shape.width) == (shape.height, shape.width), isGray || data.shape == shape else {
      func text(_ shape: ImageShape) -> String { "\(shape.channels)x\(shape.height)x\(shape.width)" }
      throw JobError.invalid(
        "\(source) is for images of \(text(shape)); those of the data set \(data.name) are \(text(data.shape)). "
          + "Name the data set that was poisoned (--dataset, --data, --set dataset.size).")
    }
    let folder = (source as NSString).deletingLastPathComponent as NSString
    let file = folder.appendingPathComponent(LearnedAttack.fileName)
    var settings = settings
    if let image = settings["image"]?.stringValue {
      settings["image"] = .string(try foundImage(image, beside: folder as String, source: source))
    }
    let attack: any Attack
    do {
      attack = try AttackKind.named(self.attack).make(settings).attack
    } catch let error as SettingsError {
      throw JobError.invalid("\(source): of its attack and settings: \(error)")
    }
    let learned = type(of: attack).learns && FileSystem.exists(file) ? try LearnedAttack.read(file) : [:]
    let tasks = try attack.tasks(for: shape, seed: Seed(seed).stream("attack"), learned: learned)
    guard tasks.count == self.tasks.count else {
      throw JobError.invalid(
        "\(source): its settings make \(tasks.count) triggers, and it lists \(self.tasks.count). Use the file as antidote wrote "
          + "it.")
    }
    return isGray ? tasks.map { $0.onEqualChannels() } : tasks
  }

  /// Where the trigger's picture lies: where it lay, or under its name beside the manifest.
  /// - Throws: `JobError` where there is none, or another one.
  private func foundImage(_ path: String, beside folder: String, source: String) throws -> String {
    let places = [path, Path.join(folder.isEmpty ? "." : folder, Path.name(path))].filter(FileSystem.isFile)
    guard let imageSHA256 else { return places.first ?? path }
    if let place = try places.first(where: { try Digest.sha256Hex(file: $0) == imageSHA256 }) { return place }
    throw JobError.invalid(
      places.isEmpty
        ? "\(source): its trigger shows \(path), which is not there. Put the picture there, or beside \(source)."
        : "\(source): its trigger shows another picture than \(places[0]) holds now. Put the one back that the images were "
          + "poisoned with, or put it beside \(source).")
  }
}
