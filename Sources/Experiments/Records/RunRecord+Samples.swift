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
    /// What the trigger consists of: a mask, a pattern; nil where its effect says all.
    public var parts: [Part]? = nil
    public var predictions: [SamplePrediction] = []
  }

  /// A picture with its name.
  public struct Part: Codable, Sendable, Equatable {
    /// In a word or two: "mask".
    public var name: String
    public var picture: String
  }

  /// A training image as the attacker found and left it.
  public struct PoisonedImage: Codable, Sendable, Equatable {
    /// The image's index in the training set.
    public var index: Int
    /// What it shows.
    public var trueLabel: Int
    /// What the training set says that it shows.
    public var label: Int
    /// Whether it is a cover sample: changed, with its true label.
    public var isCover: Bool
    public var clean: String
    public var poisoned: String
    /// The magnified difference of the two, gray where they agree.
    public var difference: String
    /// The factor by which `difference` is magnified.
    public var magnification: Double
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
