public import Torch

/// What a defense found out about a model as a whole: an outcome beside a purified model and a judgement of samples.
public struct ModelVerdict {
  /// Whether the statistic reaches the threshold.
  public var isSuspicious: Bool
  /// What is measured, such as "anomaly index".
  public var statistic: String
  public var value: Double
  /// Values from here on are called suspicious.
  public var threshold: Double
  /// Share of clean models that reach the value, under `null`.
  public var pValue: Double
  /// What the p-value takes clean models for, in words.
  public var null: String
  /// The class that stands out, whether or not the model is suspicious.
  public var label: Int?
  /// What the statistic was made of, one value a class, with its name: "L1 norm of the mask".
  public var classScores: (name: String, values: [Double])?
  /// The trigger that was reconstructed for `label`.
  public var trigger: ReconstructedTrigger?

  public init(
    isSuspicious: Bool, statistic: String, value: Double, threshold: Double, pValue: Double, null: String,
    label: Int? = nil, classScores: (name: String, values: [Double])? = nil, trigger: ReconstructedTrigger? = nil
  ) {
    self.isSuspicious = isSuspicious
    self.statistic = statistic
    self.value = value
    self.threshold = threshold
    self.pValue = pValue
    self.null = null
    self.label = label
    self.classScores = classScores
    self.trigger = trigger
  }
}

/// A trigger as a pattern and where it shows: x' = (1 - mask) x + mask pattern.
public struct ReconstructedTrigger {
  /// Float 1 x H x W in [0, 1].
  public let mask: Tensor
  /// Float C x H x W, pixels in [0, 1].
  public let pattern: Tensor

  public init(mask: Tensor, pattern: Tensor) {
    self.mask = mask
    self.pattern = pattern
  }

  /// Pixels N x C x H x W with the trigger.
  public func stamp(_ pixels: Tensor) -> Tensor { (1 - mask) * pixels + mask * pattern }
  /// The trigger on black: C x H x W.
  public var picture: Tensor { mask * pattern }
}
