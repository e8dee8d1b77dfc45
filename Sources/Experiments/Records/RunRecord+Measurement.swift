import Evaluation
import Files

extension RunRecord {
  /// What one model scored. Shares are fractions in [0, 1].
  public struct Measurement: Codable, Sendable, Equatable {
    /// The label of the model as trained, without a defense.
    public static let before = "before"
    /// The label of the defended model.
    public static let after = "after"

    /// Which model this is: ``before``, ``after`` or any other name.
    public var label: String
    /// Clean accuracy (ACC): share of clean test images predicted as their true label.
    public var accuracy: Double
    /// How many clean test images `accuracy` was measured on.
    public var cleanCount: Int
    /// Attack success rate (ASR): share of triggered test images predicted as the target.
    public var attackSuccessRate: Double?
    /// Robust accuracy (R-ACC): share of the same triggered images predicted as their true label.
    public var robustAccuracy: Double?
    /// Share of the same images predicted as the target without the trigger. Records of earlier versions have none.
    public var cleanTargetRate: Double?
    /// Share of all triggered test images, those of the target class included, predicted as their true label.
    public var poisonAccuracy: Double?
    /// Source-to-target attacks (A): share of the source class that is right without the trigger and the target with
    /// it.
    public var targetedMisclassification: Double?
    /// How many triggered test images `attackSuccessRate` and `robustAccuracy` were measured on.
    public var triggeredCount: Int?
    /// Share of test images of other classes that the trigger (of several the worst) turns into the target.
    public var backdoorRisk: Double?
    /// Share of test images of other classes that some perturbation makes this model misclassify.
    public var adversarialRisk: Double?
    /// Share of test images that one perturbation makes this model and the undefended one take for the same wrong
    /// class.
    public var sharedAdversarialRisk: Double?
    /// The bound of the SAU paper on the backdoor risk: shared where the trigger works on the undefended model,
    /// adversarial elsewhere; over test images of other classes.
    public var subAdversarialRisk: Double?
    /// Share of test images of other classes that the worst single perturbation for all misleads, and its bound.
    public var universalRisk: Double?
    public var universalSubRisk: Double?
    /// Share of test images of other classes that some perturbation turns into the target, and its bound.
    public var targetedRisk: Double?
    public var targetedSubRisk: Double?
    /// How many test images `sharedAdversarialRisk` was measured on.
    public var riskCount: Int?
    /// How many of them are of other classes than the target: what the other risks are shares of.
    public var riskAimedCount: Int?
  }

  /// The measurement of the undefended model, if there is one.
  public var before: Measurement? {
    measurements.last { $0.label == Measurement.before }
  }

  /// Whether the run is one of a defense.
  public var isDefended: Bool { defenseName != nil }

  /// The name of its defense; nil where it has none.
  public var defenseName: String? {
    let defense = configuration["defense"]
    guard let name = defense?.stringValue ?? defense?["name"]?.stringValue, name != "none" else { return nil }
    return name
  }

  /// The measurement of the defended model, if there is one.
  public var after: Measurement? {
    measurements.last { $0.label == Measurement.after }
  }
}

extension RunRecord.Measurement {
  /// - Parameter risks: nil where none were measured.
  init(_ label: String, _ metrics: BackdoorMetrics, _ risks: Risks? = nil) {
    self.init(
      label: label, accuracy: metrics.accuracy, cleanCount: metrics.testCount,
      attackSuccessRate: metrics.attackSuccessRate,
      robustAccuracy: metrics.robustAccuracy, cleanTargetRate: metrics.cleanTargetRate,
      poisonAccuracy: metrics.poisonAccuracy,
      targetedMisclassification: metrics.targetedMisclassification,
      triggeredCount: metrics.attackSuccessRate == nil ? nil : metrics.triggeredCount, backdoorRisk: risks?.backdoor,
      adversarialRisk: risks?.adversarial, sharedAdversarialRisk: risks?.shared, subAdversarialRisk: risks?.sub,
      universalRisk: risks?.universal, universalSubRisk: risks?.universalSub, targetedRisk: risks?.targeted,
      targetedSubRisk: risks?.targetedSub, riskCount: risks?.count, riskAimedCount: risks?.aimedCount)
  }

  /// The shares that are measured after epochs too, by their names in `metrics.jsonl`; nil where one was not measured.
  var shares: KeyValuePairs<String, Double?> {
    [
      MetricName.accuracy: accuracy, MetricName.attackSuccessRate: attackSuccessRate,
      MetricName.robustAccuracy: robustAccuracy, MetricName.cleanTargetRate: cleanTargetRate,
      MetricName.targetedMisclassification: targetedMisclassification, MetricName.backdoorRisk: backdoorRisk,
      MetricName.adversarialRisk: adversarialRisk, MetricName.sharedAdversarialRisk: sharedAdversarialRisk,
      MetricName.subAdversarialRisk: subAdversarialRisk, MetricName.universalRisk: universalRisk,
      MetricName.universalSubRisk: universalSubRisk, MetricName.targetedRisk: targetedRisk,
      MetricName.targetedSubRisk: targetedSubRisk,
    ]
  }
}
