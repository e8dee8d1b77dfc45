/// The images that a report shows. Files are PNG, named relative to the run's directory, e.g. "samples/0-clean.png".
extension RunRecord {
  /// A test image without and with the trigger, and what the models make of both.
  public struct Sample: Codable, Sendable, Equatable {
    /// The image's index in the test set.
    public var index: Int
    /// The true label.
    public var label: Int
    /// The label that the trigger asks for on this image, where it is not `Poison.targetLabel` (all-to-all mappings).
    public var target: Int?
    public var clean: String
    public var triggered: String
    /// The magnified difference of the two, gray where they agree.
    public var difference: String?
    /// The factor by which `difference` is magnified.
    public var magnification: Double?
    public var predictions: [SamplePrediction] = []
  }

  /// What one model says about a sample.
  public struct SamplePrediction: Codable, Sendable, Equatable {
    /// The model's label, as in ``Measurement/label``.
    public var model: String
    public var clean: Prediction
    public var triggered: Prediction
  }

  /// A predicted class and its softmax probability, in [0, 1].
  public struct Prediction: Codable, Sendable, Equatable {
    public var label: Int
    public var confidence: Double
  }

  /// An adversarial perturbation of a clean image that the defense worked with.
  public struct Perturbation: Codable, Sendable, Equatable {
    /// The image's index in the set that it comes from.
    public var index: Int
    /// The true label.
    public var label: Int
    public var clean: String
    /// The magnified perturbation, gray where it is zero.
    public var perturbation: String
    /// The factor by which `perturbation` is magnified.
    public var magnification: Double?
    public var perturbed: String
    /// What each model says about the perturbed image.
    public var predictions: [PerturbedPrediction] = []
  }

  /// What one model says about a perturbed image.
  public struct PerturbedPrediction: Codable, Sendable, Equatable {
    /// The model's label, as in ``Measurement/label``.
    public var model: String
    public var prediction: Prediction
  }
}
