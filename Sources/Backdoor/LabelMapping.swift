public import Torch

/// Which label a triggered image is meant to get.
public enum LabelMapping: Sendable, Hashable, Codable, CustomStringConvertible {
  /// Every class to one target.
  case allToOne(target: Int)
  /// Class y to (y + shift) mod K.
  case allToAll(shift: Int)
  /// Images of one class to another. Poisoned samples replace samples of the target class.
  case sourceToTarget(source: Int, target: Int)
  /// Images of the target class keep their label and get the trigger.
  case cleanLabel(target: Int)

  /// The target of an image with this true label; nil where the attack does not aim at it.
  public func target(of label: Int, classes: Int) -> Int? {
    switch self {
    case .allToOne(let target), .cleanLabel(let target): target
    case .allToAll(let shift): ((label + shift) % classes + classes) % classes
    case .sourceToTarget(let source, let target): label == source ? target : nil
    }
  }

  /// True for test images that count in the attack success rate: those that the attack aims at and whose true label is
  /// not the target already; under all-to-all every image.
  public func counts(_ label: Int, classes: Int) -> Bool {
    if case .allToAll = self { return true }
    guard let target = target(of: label, classes: classes) else { return false }
    return target != label
  }

  /// The one target class, where there is one.
  public var singleTarget: Int? {
    switch self {
    case .allToOne(let target), .cleanLabel(let target), .sourceToTarget(_, let target): target
    case .allToAll: nil
    }
  }

  public var description: String { description(naming: []) }

  /// In words, with the names of classes beside their numbers where they differ: `all classes to 2 (11)`.
  /// - Parameter classNames: of the data set.
  public func description(naming classNames: [String]) -> String {
    func named(_ label: Int) -> String {
      guard classNames.indices.contains(label), classNames[label] != "\(label)" else { return "\(label)" }
      return "\(label) (\(classNames[label]))"
    }
    return switch self {
    case .allToOne(let target): "all classes to \(named(target))"
    case .allToAll(let shift): "each class y to y + \(shift)"
    case .sourceToTarget(let source, let target): "class \(named(source)) to \(named(target))"
    case .cleanLabel(let target): "clean-label, target \(named(target))"
    }
  }
}

extension LabelMapping {
  /// The targets of many labels, int64 N; a class that the attack does not aim at keeps its label.
  public func targets(of labels: Tensor, classes: Int) -> Tensor {
    let table = (0..<classes).map { Int64(target(of: $0, classes: classes) ?? $0) }
    return Tensor(table).to(labels.device)[labels]
  }
}
