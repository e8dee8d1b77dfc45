import Files
public import Support

/// A number that a run came out with, as tables and charts name it.
public struct ResultMetric: Sendable, Hashable {
  /// What a value is, and so how it is written.
  public enum Kind: Sendable, Hashable {
    /// A fraction in [0, 1], written in percent.
    case share
    /// A fraction in [0, 1], written as such.
    case ratio
    case seconds
    case count
  }

  /// The name in files and on the command line: that of the record's key where there is one.
  public let id: String
  /// As papers head their columns: "ACC".
  public let abbreviation: String
  public let title: String
  public let kind: Kind
  public let higherIsBetter: Bool

  init(_ id: String, _ abbreviation: String, _ title: String, _ kind: Kind = .share, higherIsBetter: Bool) {
    self.id = id
    self.abbreviation = abbreviation
    self.title = title
    self.kind = kind
    self.higherIsBetter = higherIsBetter
  }
}

extension ResultMetric {
  public static let accuracy = ResultMetric("accuracy", "ACC", "Clean accuracy", higherIsBetter: true)
  public static let attackSuccessRate = ResultMetric(
    "attackSuccessRate", "ASR", "Attack success rate", higherIsBetter: false)
  public static let robustAccuracy = ResultMetric("robustAccuracy", "R-ACC", "Robust accuracy", higherIsBetter: true)
  public static let defenseEffectiveness = ResultMetric(
    "defenseEffectiveness", "DER", "Defense effectiveness rating", higherIsBetter: true)
  public static let truePositiveRate = ResultMetric(
    "truePositiveRate", "TPR", "Poison rejected by the filter", higherIsBetter: true)
  public static let falsePositiveRate = ResultMetric(
    "falsePositiveRate", "FPR", "Clean samples rejected by the filter", higherIsBetter: false)
  public static let areaUnderROC = ResultMetric(
    "areaUnderROC", "AUC", "Area under the ROC curve of the suspicion", .ratio, higherIsBetter: true)

  /// Every metric with a fixed name, in the order in which tables show them.
  public static let all: [ResultMetric] = [
    accuracy, attackSuccessRate, robustAccuracy, defenseEffectiveness,
    ResultMetric("poisonAccuracy", "P-ACC", "Accuracy on triggered images of all classes", higherIsBetter: true),
    ResultMetric("targetedMisclassification", "A", "Targeted misclassification", higherIsBetter: false),
    truePositiveRate, falsePositiveRate, areaUnderROC,
    ResultMetric("precision", "Precision", "Poison among the rejected samples", higherIsBetter: true),
    ResultMetric("poisonKept", "Poison kept", "Poisoned samples that the filter kept", .count, higherIsBetter: false),
    ResultMetric("poisonShareKept", "Kept share", "Poison among the kept samples", higherIsBetter: false),
    ResultMetric("backdoorRisk", "Backdoor risk", "Backdoor risk", higherIsBetter: false),
    ResultMetric("adversarialRisk", "Adv. risk", "Adversarial risk", higherIsBetter: false),
    ResultMetric("sharedAdversarialRisk", "Shared risk", "Shared adversarial risk", higherIsBetter: false),
    ResultMetric("subAdversarialRisk", "Sub-adv. risk", "Sub-adversarial risk", higherIsBetter: false),
    ResultMetric("universalRisk", "Universal risk", "Universal risk", higherIsBetter: false),
    ResultMetric("universalSubRisk", "Universal sub-risk", "Universal sub-adversarial risk", higherIsBetter: false),
    ResultMetric("targetedRisk", "Targeted risk", "Targeted risk", higherIsBetter: false),
    ResultMetric("targetedSubRisk", "Targeted sub-risk", "Targeted sub-adversarial risk", higherIsBetter: false),
    ResultMetric("lastAccuracy", "ACC, last epochs", "Clean accuracy, mean of the last epochs", higherIsBetter: true),
    ResultMetric(
      "lastAttackSuccessRate", "ASR, last epochs", "Attack success rate, mean of the last epochs", higherIsBetter: false
    ),
    ResultMetric(
      "lastRobustAccuracy", "R-ACC, last epochs", "Robust accuracy, mean of the last epochs", higherIsBetter: true),
    ResultMetric("accuracyBefore", "ACC before", "Clean accuracy before the defense", higherIsBetter: true),
    ResultMetric(
      "attackSuccessRateBefore", "ASR before", "Attack success rate before the defense", higherIsBetter: false),
    ResultMetric("robustAccuracyBefore", "R-ACC before", "Robust accuracy before the defense", higherIsBetter: true),
    ResultMetric("seconds", "Time", "Seconds of work", .seconds, higherIsBetter: false),
  ]

  /// What is measured of every model, and what tables show where nobody chooses.
  public static let usual: [ResultMetric] = [
    accuracy, attackSuccessRate, robustAccuracy, defenseEffectiveness, truePositiveRate, falsePositiveRate,
    areaUnderROC,
  ]

  static let filteringRatePrefix = "filteringRate."

  /// Poison among the samples that are removed under a bound on its number; see `FilteringRate`.
  /// - Parameter bound: As in the record: a number of samples.
  public static func filteringRate(bound: Int) -> ResultMetric {
    ResultMetric(
      "\(filteringRatePrefix)\(bound)", "SFR \(bound)", "Successful filtering rate, bound of \(bound)",
      higherIsBetter: true)
  }

  /// The metric of this name: the id or the abbreviation, in any case.
  /// - Throws: `SettingsError` that suggests the nearest names.
  public static func named(_ name: String) throws(SettingsError) -> ResultMetric {
    let wanted = name.lowercased()
    if let found = all.first(where: { $0.id.lowercased() == wanted || $0.abbreviation.lowercased() == wanted }) {
      return found
    }
    // Benign accuracy, as some papers call it.
    if wanted == "ba" { return accuracy }
    if name.hasPrefix(filteringRatePrefix), let bound = Int(name.dropFirst(filteringRatePrefix.count)) {
      return filteringRate(bound: bound)
    }
    throw SettingsError.unknownName(
      what: "metric", name: name, known: all.flatMap { [$0.abbreviation, $0.id] } + [filteringRatePrefix + "<bound>"])
  }

  /// The metrics of a list of names with commas.
  public static func list(_ names: String) throws(SettingsError) -> [ResultMetric] {
    var found: [ResultMetric] = []
    for name in names.split(separator: ",") {
      found.append(try named(name.trimmingPrefix { $0 == " " }.description))
    }
    return found
  }
}
