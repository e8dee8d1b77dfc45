import Evaluation
public import Experiments
public import Files
public import Foundation

/// What tables, charts and lists need of a run: its settings and the numbers that came out.
public struct RunSummary: Sendable, Equatable {
  /// The statuses of records, that of a record that cannot be read, and that of a cell without one.
  public enum Status: String, Sendable, CaseIterable {
    case running, interrupted, finished, failed, damaged, waiting
  }

  /// The run's folder, from the folder in which it was looked for.
  public var folder: String
  public var id = ""
  public var title = ""
  public var status: Status
  /// Why the run failed, or why its record cannot be read.
  public var failure: String?
  public var created: Date?
  public var finished: Date?
  public var command: String?
  /// The resolved configuration.
  public var settings: JSONValue = [:]
  /// What came out, by ``ResultMetric/id``.
  public var values: [String: Double] = [:]
  public var flags: [RaisedFlag] = []

  public init(folder: String, status: Status) {
    self.folder = folder
    self.status = status
  }
}

extension RunSummary {
  public init(_ record: RunRecord, folder: String) {
    self.init(folder: folder, status: Status(rawValue: record.status.rawValue) ?? .damaged)
    id = record.id
    title = record.title
    failure = record.failure
    created = record.created
    finished = record.finished
    command = record.command
    settings = record.configuration
    values = Self.values(of: record)
    // A version that knows more flags than the one that wrote the record raises them all the same.
    let raised = RunFlags.raised(by: record)
    flags = record.flags + raised.filter { flag in !record.flags.contains { $0.id == flag.id } }
  }

  /// A record that cannot be read.
  init(damaged error: any Error, folder: String) {
    self.init(folder: folder, status: .damaged)
    failure = "\(error)"
  }

  private static func values(of record: RunRecord) -> [String: Double] {
    var values: [String: Double] = [:]
    // The undefended model's numbers are not those of a defense that left no model.
    if let model = record.after ?? (record.isDefended ? nil : record.before ?? record.measurements.last) {
      values["accuracy"] = model.accuracy
      values["attackSuccessRate"] = model.attackSuccessRate
      values["robustAccuracy"] = model.robustAccuracy
      values["poisonAccuracy"] = model.poisonAccuracy
      values["targetedMisclassification"] = model.targetedMisclassification
      values["backdoorRisk"] = model.backdoorRisk
      values["adversarialRisk"] = model.adversarialRisk
      values["sharedAdversarialRisk"] = model.sharedAdversarialRisk
      values["subAdversarialRisk"] = model.subAdversarialRisk
      values["universalRisk"] = model.universalRisk
      values["universalSubRisk"] = model.universalSubRisk
      values["targetedRisk"] = model.targetedRisk
      values["targetedSubRisk"] = model.targetedSubRisk
    }
    if let before = record.before {
      values["accuracyBefore"] = before.accuracy
      values["attackSuccessRateBefore"] = before.attackSuccessRate
      values["robustAccuracyBefore"] = before.robustAccuracy
    }
    values["defenseEffectiveness"] = record.effectiveness
    if let last = record.lastEpochs {
      values["lastAccuracy"] = last.accuracy
      values["lastAttackSuccessRate"] = last.attackSuccessRate
      values["lastRobustAccuracy"] = last.robustAccuracy
    }
    if let detection = record.findings?.detection {
      values["areaUnderROC"] = detection.areaUnderROC
      // A defense that decides about no sample has no rates.
      if detection.rejectedCount > 0 {
        values["truePositiveRate"] = detection.truePositiveRate
        values["falsePositiveRate"] = detection.falsePositiveRate
        values["precision"] = detection.precision
        values["poisonKept"] = Double(detection.poisonKept)
        values["poisonShareKept"] = detection.poisonShareKept
      }
    }
    for rate in record.findings?.filteringRates ?? [] where rate.removed > 0 {
      values[ResultMetric.filteringRate(bound: rate.bound).id] = rate.share
    }
    values["seconds"] = record.duration
    return values
  }
}

extension RunSummary {
  /// A setting by its dotted name; of an attack or defense that is "none", `attack.name` is that word. nil where the run
  /// has no such setting.
  public func setting(_ key: String) -> JSONValue? {
    var current = settings
    var rest = key[...]
    while !rest.isEmpty {
      let name = rest.prefix { $0 != "." }
      rest = rest.dropFirst(name.count + 1)
      if case .string = current, name == "name" { return current }
      guard let next = current[String(name)] else { return nil }
      current = next
    }
    // "attack" alone means its name.
    if case .object(let members) = current, let name = members["name"] { return name }
    return current
  }

  /// The same as text, as it stands in a file of settings without quotes.
  public func text(of key: String) -> String? { setting(key)?.plainText }

  /// Every setting by its dotted name.
  public var leaves: [String: JSONValue] {
    var result: [String: JSONValue] = [:]
    func add(_ value: JSONValue, _ path: String) {
      guard case .object(let members) = value else {
        let isName = value.stringValue != nil && ["attack", "defense", "recipe"].contains(path)
        result[isName ? path + ".name" : path] = value
        return
      }
      for (key, member) in members { add(member, path.isEmpty ? key : "\(path).\(key)") }
    }
    add(settings, "")
    return result
  }

  public var seed: Int? { settings["seed"]?.intValue }
  public var attack: String { text(of: "attack.name") ?? "none" }
  public var defense: String { text(of: "defense.name") ?? "none" }
}

extension JSONValue {
  /// Text without quotes; whole numbers without a point; NaN, inf and -inf.
  public var plainText: String {
    switch self {
    case .string(let text): text
    case .double(let number) where !number.isFinite: number.isNaN ? "NaN" : number < 0 ? "-inf" : "inf"
    case .double, .int: canonicalJSON
    default: compactJSON
    }
  }
}
