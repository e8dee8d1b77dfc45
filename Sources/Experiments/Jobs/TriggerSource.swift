import Backdoor
import Evaluation
import Files
import Support
import Torch
import Training
import Vision

/// Which triggers a model is measured by.
public enum TriggerSource: Sendable {
  /// None: accuracy alone.
  case none
  /// Those of a `poison.json`.
  case manifest(path: String)
  /// Those that the configuration's attack makes.
  case attack
  /// Those on the test images of another program's folder.
  case record(RecordFolder)

  /// The test images that have their triggers already, in the places of the clean ones; nil where triggers are put on by
  /// a function. Labels are what the attacker wants of each image, -1 where there is no trigger.
  /// - Parameter loaded: the test split as the data set has it.
  func stored(for loaded: ImageDataset) throws -> ImageDataset? {
    guard case .record(let record) = self else { return nil }
    return try record.triggered(loaded)
  }

  /// The `poison.json`, where they are those of one.
  var path: String? {
    guard case .manifest(let path) = self else { return nil }
    return path
  }

  /// Which training images are poisoned, where they are those beside a `poison.json`; nil where nobody knows.
  /// - Throws: as reading the `poison.json` does.
  func poisoned(_ train: ImageDataset, _ settings: DatasetSettings) throws -> PoisonedDataset? {
    guard let path, settings.name == "tensors", let folder = settings.path,
      Path.absolute(folder) == Path.absolute(Path.parent(path))
    else { return nil }
    let manifest = try PoisonManifest(contentsOf: path)
    var labels = train.labelArray()
    let changed = manifest.samples + manifest.covers
    guard manifest.trainCount == train.count,
      changed.allSatisfy({ labels.indices.contains($0.index) && labels[$0.index] == $0.label })
    else { return nil }
    for sample in changed { labels[sample.index] = sample.trueLabel }
    return PoisonedDataset(
      data: train, indices: manifest.samples.map(\.index), tasks: manifest.samples.map(\.task),
      trueLabels: Tensor(labels.map(Int64.init)), covers: manifest.covers.map(\.index),
      coverTasks: manifest.covers.map(\.task))
  }

  /// What measures models by these triggers, and the triggers in words.
  /// - Parameters:
  ///   - test: the test split in the order of classes that targets are wanted in.
  ///   - stored: those of `stored(for:)`, fitted as `test`.
  ///   - names: the data set's own order of classes.
  func evaluator(
    _ configuration: ExperimentConfiguration, for test: ImageDataset, stored: ImageDataset?, named names: [String],
    on device: Device
  ) throws -> (evaluator: BackdoorEvaluator, words: [String]) {
    func words(_ name: String, _ mapping: LabelMapping?) -> String {
      "\(name): \(mapping?.description(naming: test.classNames) ?? "targets as the images are labelled")"
    }
    guard let stored else {
      let (tasks, seed) = try tasks(configuration, for: test, named: names)
      return (
        BackdoorEvaluator(test: test.to(device), tasks: tasks, seed: seed), tasks.map { words($0.name, $0.mapping) }
      )
    }
    let targets = stored.labelArray().map { $0 < 0 ? nil : $0 }
    let pairs = zip(test.labelArray(), targets).compactMap { label, target in target.map { (label, $0) } }
    let triggered = TriggeredTest(
      name: "stored images", mapping: LabelMapping(of: pairs, classes: test.classes), images: stored.images,
      targets: targets)
    return (
      BackdoorEvaluator(test: test.to(device), triggered: [triggered]), [words(triggered.name, triggered.mapping)]
    )
  }

  /// The tasks, and the seed of the run that they belong to.
  /// - Parameters:
  ///   - data: the images, in the order of classes that targets are wanted in.
  ///   - names: the data set's own order of classes, in which the settings of `attack` name theirs.
  /// - Throws: `ClassNameError` for triggers of other classes, `JobError` for targets that are no classes.
  func tasks(
    _ configuration: ExperimentConfiguration, for data: ImageDataset, named names: [String]
  ) throws -> (tasks: [BackdoorTask], seed: Seed) {
    switch self {
    case .none, .record: return ([], configuration.seed)
    case .manifest(let path):
      let manifest = try PoisonManifest(contentsOf: path)
      let tasks = try manifest.makeTasks(for: data, source: path)
      return (try Self.renumbered(tasks, manifest.classNames, as: data, source: path), Seed(manifest.seed))
    case .attack:
      let tasks = try configuration.makeAttack()?.tasks(for: data.shape, seed: configuration.seed.stream("attack"))
      return (try Self.renumbered(tasks ?? [], names, as: data, source: "attack"), configuration.seed)
    }
  }

  /// The tasks with their classes numbered as those of `data`.
  private static func renumbered(_ tasks: [BackdoorTask], _ names: [String], as data: ImageDataset, source: String)
    throws -> [BackdoorTask]
  {
    let found = try ClassNames(data.classNames).positions(
      of: ClassNames(names), source: "the data set \(data.name)", otherSource: source)
    let positions = found ?? Array(names.indices)
    return try tasks.map { task in
      guard let mapping = task.mapping.renumbered(positions) else {
        throw JobError.invalid(
          "\(source): \(task.name) takes \(task.mapping), which cannot be said of \(data.classes) classes in the "
            + "order of \(data.name). Classes are numbered from 0 to \(names.count - 1).")
      }
      do { try mapping.check(classes: data.classes) } catch { throw JobError.invalid("\(source): \(error)") }
      return task.mapped(mapping)
    }
  }
}

extension LabelMapping {
  /// The same mapping of classes that are numbered in another way; nil where it names a class that does not exist, or
  /// where a shift meets another order.
  /// - Parameter positions: the new number of each class.
  func renumbered(_ positions: [Int]) -> LabelMapping? {
    func new(_ label: Int) -> Int? { positions.indices.contains(label) ? positions[label] : nil }
    switch self {
    case .allToOne(let target): return new(target).map { .allToOne(target: $0) }
    case .cleanLabel(let target): return new(target).map { .cleanLabel(target: $0) }
    case .sourceToTarget(let source, let target):
      guard let source = new(source), let target = new(target) else { return nil }
      return .sourceToTarget(source: source, target: target)
    case .allToAll: return positions == Array(positions.indices) ? self : nil
    }
  }
}
