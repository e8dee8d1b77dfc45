import Evaluation
public import Support

/// What is measured, and how often.
public struct EvaluationSettings: Configurable, Hashable {
  public var every = 1
  public var retrain = true
  public var riskSamples = 256
  public var samples = 8
  public var mapPoisoned = 1.0
  public var mapClean = 0.1
  public var mapPoints = 2500
  public init() {}

  public static let settings: [Setting] = [
    Setting(
      "every", "Measure on test data after every so many epochs; 0 only at the end of a stage.", unit: "epochs",
      range: 0...100_000),
    Setting(
      "retrain",
      "Train a model on what a sample filter kept, and measure it; off, the run ends with the filter's judgement."),
    Setting(
      "riskSamples",
      "Test images, drawn by class and seed, for the adversarial and shared risks after each epoch of a defense; 0 "
        + "leaves them out.",
      unit: "images",
      range: 0...1_000_000),
    Setting("samples", "Test images shown in the report.", unit: "images", range: 0...64),
    Setting(
      "mapPoisoned", "Share of the poisoned samples that a map of the training samples shows.", unit: "fraction",
      range: 0...1, source: "DBD, figure 1: 1 of supervised features, .3 of self-supervised ones"),
    Setting(
      "mapClean", "Share of the clean samples, covers included, that it shows.", unit: "fraction", range: 0...1,
      source: "DBD, figure 1"),
    Setting(
      "mapPoints",
      "The most points of a map; more are thinned out, poisoned and clean alike. t-SNE's time and memory grow with the "
        + "square: 40 s of one CPU core at 2,500. 0 draws no map.",
      unit: "points", range: 0...Double(TSNE.mostPoints)),
  ]
}
