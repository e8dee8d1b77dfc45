/// What was measured at the end of one epoch of one stage.
public struct MetricsEntry: Codable, Sendable, Equatable {
  /// The stage's name, as in ``RunRecord/Stage``.
  public var stage: String
  /// The epoch within the stage, counted from 1; 0 stands for the state before the first.
  public var epoch: Int
  /// Values by name; the names that reports know are in ``MetricName``. Shares are fractions in [0, 1].
  public var values: [String: Double]

  public init(stage: String, epoch: Int, values: [String: Double]) {
    self.stage = stage
    self.epoch = epoch
    self.values = values
  }
}

/// The names of the values that reports plot.
public enum MetricName {
  public static let trainLoss = "trainLoss"
  public static let accuracy = "accuracy"
  public static let attackSuccessRate = "attackSuccessRate"
  public static let robustAccuracy = "robustAccuracy"
  public static let cleanTargetRate = "cleanTargetRate"
  public static let targetedMisclassification = "targetedMisclassification"
  public static let backdoorRisk = "backdoorRisk"
  public static let adversarialRisk = "adversarialRisk"
  public static let sharedAdversarialRisk = "sharedAdversarialRisk"
  public static let subAdversarialRisk = "subAdversarialRisk"
  public static let universalRisk = "universalRisk"
  public static let universalSubRisk = "universalSubRisk"
  public static let targetedRisk = "targetedRisk"
  public static let targetedSubRisk = "targetedSubRisk"
  public static let learningRate = "learningRate"
  public static let seconds = "seconds"
  /// Poisoned samples among those that an epoch learned from, for defenses that choose.
  public static let poisonShareLearned = "poisonShareLearned"
  public static let imagesPerSecond = "imagesPerSecond"

  /// Whether a value is a share, a fraction in [0, 1], as its name says, those of methods' own included.
  public static func isShare(_ name: String) -> Bool {
    if name == learningRate { return false }
    let ends = ["accuracy", "Accuracy", "Share", "Rate", "Risk"]
    return name == targetedMisclassification || name == poisonShareLearned || ends.contains { name.hasSuffix($0) }
  }
}
