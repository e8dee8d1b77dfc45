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
    /// Share of all triggered test images, those of the target class included, predicted as their true label.
    public var poisonAccuracy: Double?
    /// Source-to-target attacks (A): share of the source class that is right without the trigger and the target with it.
    public var targetedMisclassification: Double?
    /// How many triggered test images `attackSuccessRate` and `robustAccuracy` were measured on.
    public var triggeredCount: Int?
    /// Share of test images of other classes that the trigger turns into the target.
    public var backdoorRisk: Double?
    /// Share of test images of other classes that some perturbation makes this model misclassify.
    public var adversarialRisk: Double?
    /// Share of test images that one perturbation makes this model and the undefended one take for the same wrong class.
    public var sharedAdversarialRisk: Double?
    /// How many test images the three risks were measured on.
    public var riskCount: Int?

    public init(
      label: String, accuracy: Double, cleanCount: Int, attackSuccessRate: Double? = nil, robustAccuracy: Double? = nil,
      poisonAccuracy: Double? = nil, targetedMisclassification: Double? = nil, triggeredCount: Int? = nil, backdoorRisk: Double? = nil,
      adversarialRisk: Double? = nil, sharedAdversarialRisk: Double? = nil,
      riskCount: Int? = nil
    ) {
      self.label = label
      self.accuracy = accuracy
      self.cleanCount = cleanCount
      self.attackSuccessRate = attackSuccessRate
      self.robustAccuracy = robustAccuracy
      self.poisonAccuracy = poisonAccuracy
      self.targetedMisclassification = targetedMisclassification
      self.triggeredCount = triggeredCount
      self.backdoorRisk = backdoorRisk
      self.adversarialRisk = adversarialRisk
      self.sharedAdversarialRisk = sharedAdversarialRisk
      self.riskCount = riskCount
    }
  }

  /// Means over the last epochs of a training, of what was measured after each of them.
  public struct EpochMeans: Codable, Sendable, Equatable {
    public var stage: String
    /// How many epochs the means are of.
    public var epochs: Int
    public var accuracy: Double
    public var attackSuccessRate: Double?
    public var robustAccuracy: Double?

    public init(stage: String, epochs: Int, accuracy: Double, attackSuccessRate: Double? = nil, robustAccuracy: Double? = nil) {
      self.stage = stage
      self.epochs = epochs
      self.accuracy = accuracy
      self.attackSuccessRate = attackSuccessRate
      self.robustAccuracy = robustAccuracy
    }

    /// Of the last ten measured epochs of the last measured stage; nil where fewer than two were measured.
    public init?(_ metrics: [MetricsEntry]) {
      let measured = metrics.filter { $0.values[MetricName.accuracy] != nil }
      guard let stage = measured.last?.stage else { return nil }
      let last = measured.filter { $0.stage == stage }.suffix(10)
      guard last.count > 1 else { return nil }
      func mean(_ key: String) -> Double? {
        let values = last.compactMap { $0.values[key] }
        return values.count == last.count ? values.reduce(0, +) / Double(values.count) : nil
      }
      self.init(
        stage: stage, epochs: last.count, accuracy: mean(MetricName.accuracy) ?? .nan,
        attackSuccessRate: mean(MetricName.attackSuccessRate), robustAccuracy: mean(MetricName.robustAccuracy))
    }
  }

  /// The measurement of the undefended model, if there is one.
  public var before: Measurement? {
    measurements.last { $0.label == Measurement.before }
  }

  /// The measurement of the defended model, if there is one.
  public var after: Measurement? {
    measurements.last { $0.label == Measurement.after }
  }
}
