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
  /// The mapping of one of several triggers: trigger k, from 0, leads to target + k.
  /// - Throws: `BackdoorError` for mappings that have no one target to count from.
  public func labelMapping(ofTrigger number: Int, among count: Int) throws(BackdoorError) -> LabelMapping {
    if count == 1 { return labelMapping }
    switch mapping {
    case .allToOne: return .allToOne(target: target + number)
    case .cleanLabel: return .cleanLabel(target: target + number)
    case .allToAll, .pairFlip, .sourceToTarget:
      throw .invalid(
        "attack.triggers \(count): several triggers need attack.mapping all-to-one or clean-label, not "
          + "\(mapping.rawValue).")
    }
  }

  public var poisonSelection: PoisonSelection { PoisonSelection(rate: rate, excludeTarget: excludeTarget) }
  /// - Parameters:
  ///   - covers: share of the training set that becomes cover samples.
  ///   - setting: where it comes from, for errors.
  public func poisonSelection(covers: Double, setting: String = "attack.coverRate") -> PoisonSelection {
    var selection = poisonSelection
    (selection.coverRate, selection.coverSetting) = (covers, setting)
    return selection
  }

  /// The description of a setting `triggers` of an attack whose trigger k differs as `difference` says.
  public static func triggersSetting(_ difference: String) -> Setting {
    Setting(
      "triggers", "Number of triggers: trigger k, from 0, \(difference) and maps to target + k.", range: 1...4,
      source: "multi-trigger models of the SAU paper")
  }
  /// The description of a setting `coverRate`.
  public static func coverRateSetting(_ what: String, source: String? = nil) -> Setting {
    Setting(
      "coverRate", "Share of the training set that becomes cover samples: \(what), with their true labels.",
      unit: "fraction", range: 0...1, source: source)
  }

  /// The common settings' descriptions.
  public static var poisoningSettings: [Setting] { poisoningSettings(nil) }

  /// - Parameter source: where the default rate comes from.
  public static func poisoningSettings(_ source: String?) -> [Setting] {
    [
      Setting(
        "rate", "Share of the training set that is poisoned (source-to-target: of the target class).", unit: "fraction",
        range: 0...1, source: source),
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
