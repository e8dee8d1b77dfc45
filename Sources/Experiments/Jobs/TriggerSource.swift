import Backdoor
import Support
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

  /// The implants, and the seed of the run that they belong to.
  /// - Parameters:
  ///   - data: the images, in the order of classes that targets are wanted in.
  ///   - names: the data set's own order of classes, in which the settings of `attack` name theirs.
  /// - Throws: `ClassNameError` for triggers of other classes, `JobError` for targets that are no classes.
  func implants(
    _ configuration: ExperimentConfiguration, for data: ImageDataset, named names: [String]
  ) throws -> (implants: [Implant], seed: Seed) {
    switch self {
    case .none: return ([], configuration.seed)
    case .manifest(let path):
      let manifest = try PoisonManifest(contentsOf: path)
      let implants = try manifest.makeImplants(for: data, source: path)
      return (try Self.renumbered(implants, manifest.classNames, as: data, source: path), Seed(manifest.seed))
    case .attack:
      let implants = try configuration.makeAttack()?.implants(for: data.shape, seed: configuration.seed.stream("attack"))
      return (try Self.renumbered(implants ?? [], names, as: data, source: "attack"), configuration.seed)
    }
  }

  /// The implants with their classes numbered as those of `data`.
  private static func renumbered(_ implants: [Implant], _ names: [String], as data: ImageDataset, source: String) throws -> [Implant] {
    let found = try ClassNames(data.classNames).positions(
      of: ClassNames(names), source: "the data set \(data.name)", otherSource: source)
    let positions = found ?? Array(names.indices)
    return try implants.map { implant in
      guard let mapping = implant.mapping.renumbered(positions) else {
        throw JobError.invalid(
          "\(source): \(implant.name) takes \(implant.mapping), which cannot be said of \(data.classes) classes in the order of \(data.name). "
            + "Classes are numbered from 0 to \(names.count - 1).")
      }
      return Implant(name: implant.name, trigger: implant.trigger, mapping: mapping)
    }
  }
}

extension LabelMapping {
  /// The same mapping of classes that are numbered in another way; nil where it names a class that does not exist, or where a shift meets
  /// another order.
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
