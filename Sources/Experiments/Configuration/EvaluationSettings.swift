public import Support

/// What is measured, and how often.
public struct EvaluationSettings: Configurable, Hashable {
  public var every = 1
  public var riskSamples = 256
  public var samples = 8
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "every", "Measure on test data after every so many epochs; 0 only at the end of a stage.", unit: "epochs",
      range: 0...100_000),
    Setting(
      "riskSamples",
      "Test images, drawn by class and seed, for the adversarial and shared risks after each epoch of a defense; 0 "
        + "leaves them out.",
      unit: "images",
      range: 0...1_000_000),
    Setting("samples", "Test images shown in the report.", unit: "images", range: 0...64),
  ]
}
