public import Torch
public import Vision

/// What a defense found or made.
public struct DefenseOutcome {
  /// A model that is meant to be clean.
  public var model: Classifier?
  /// A sample filter's decision: positions in the training set.
  public var filtered: (kept: [Int], rejected: [Int])?
  /// Suspicion per training sample; higher is more suspicious.
  public var suspicion: [Double]?
  /// Other values per training sample that explain the decision, such as a loss.
  public var scores: [SampleScores] = []
  /// Where training samples lie in a feature space.
  public var embeddings: [Embedding] = []
  /// Pictures that show what the defense did.
  public var exhibits: [Exhibit] = []
  /// What it found out about the model that it was given.
  public var verdict: ModelVerdict?

  public init(
    model: Classifier? = nil, filtered: (kept: [Int], rejected: [Int])? = nil, suspicion: [Double]? = nil,
    scores: [SampleScores] = [],
    embeddings: [Embedding] = [], exhibits: [Exhibit] = [], verdict: ModelVerdict? = nil
  ) {
    self.model = model
    self.filtered = filtered
    self.suspicion = suspicion
    self.scores = scores
    self.embeddings = embeddings
    self.exhibits = exhibits
    self.verdict = verdict
  }
}

/// Clean images with what a defense added to them.
public struct Exhibit {
  public let title: String
  /// uint8 N x C x H x W.
  public let images: Tensor
  /// Float N x C x H x W, in pixels.
  public let perturbations: Tensor
  public let labels: [Int]

  public init(title: String, images: Tensor, perturbations: Tensor, labels: [Int]) {
    self.title = title
    self.images = images
    self.perturbations = perturbations
    self.labels = labels
  }
}

/// One value per training sample. Whoever knows the poison can split its histogram.
public struct SampleScores {
  /// What is measured, and when: "loss after stage 2".
  public let title: String
  public let values: [Double]
  /// Samples were kept on one side of it.
  public let threshold: Double?

  public init(title: String, values: [Double], threshold: Double? = nil) {
    self.title = title
    self.values = values
    self.threshold = threshold
  }
}

/// Features of training samples, for a map. Whoever draws it, and may know which samples are poisoned, chooses among
/// them.
public struct Embedding {
  public let title: String
  /// Float M x D.
  public let features: Tensor
  /// The training samples that the rows belong to.
  public let indices: [Int]

  public init(title: String, features: Tensor, indices: [Int]) {
    self.title = title
    self.features = features
    self.indices = indices
  }
}
