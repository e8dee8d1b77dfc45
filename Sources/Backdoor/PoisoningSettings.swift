public import Support

/// What all attacks that poison data by a trigger have in common.
public protocol PoisoningSettings: Configurable {
  var rate: Double { get set }
  var mapping: MappingKind { get set }
  var target: Int { get set }
  var source: Int { get set }
  var shift: Int { get set }
  var excludeTarget: Bool { get set }
}

public enum MappingKind: String, Codable, Sendable, CaseIterable {
  case allToOne = "all-to-one"
  case allToAll = "all-to-all"
  /// Label i to i + 1 mod K: the multi-target attack of the noisy-label paper.
  case pairFlip = "pair-flip"
  case sourceToTarget = "source-to-target"
  case cleanLabel = "clean-label"
}

extension PoisoningSettings {
  public var labelMapping: LabelMapping {
    switch mapping {
    case .allToOne: .allToOne(target: target)
    case .allToAll: .allToAll(shift: shift)
    case .pairFlip: .allToAll(shift: 1)
    case .sourceToTarget: .sourceToTarget(source: source, target: target)
    case .cleanLabel: .cleanLabel(target: target)
    }
  }
  public var poisonSelection: PoisonSelection { PoisonSelection(rate: rate, excludeTarget: excludeTarget) }

  /// The common settings' descriptions.
  public static var poisoningSettings: [Setting] {
    [
      Setting(
        "rate", "Share of the training set that is poisoned (source-to-target: of the target class).", unit: "fraction",
        range: 0...1),
      Setting("mapping", "Which labels poisoned samples get.", choices: MappingKind.allCases.map(\.rawValue)),
      Setting(
        "target", "Target class, by number or name (all-to-one, source-to-target, clean-label).", unit: "class",
        range: 0...100_000),
      Setting("source", "Source class, by number or name (source-to-target).", unit: "class", range: 0...100_000),
      Setting("shift", "Class y becomes y + shift mod K (all-to-all).", unit: "classes", range: -100_000...100_000),
      Setting(
        "excludeTarget", "Draw dirty-label samples from classes other than the target alone.",
        source: "default: benchmark convention"),
    ]
  }
}
