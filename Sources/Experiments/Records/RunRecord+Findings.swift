public import Evaluation

/// What a defense said about the training samples. Only the record knows which of them were poisoned.
extension RunRecord {
  public struct Findings: Codable, Sendable, Equatable {
    /// nil where the defense neither filtered nor scored.
    public var detection: DetectionMetrics?
    /// Names of the classes of which the defense rejected every sample; nil where there are none.
    public var lostClasses: [String]?
    /// Poison among the most suspicious samples of the target class; nil where the defense gave no suspicion, or there is
    /// no poison.
    public var filteringRates: [FilteringRate]?
    public var histograms: [Histogram] = []
    public var maps: [SampleMap] = []
    public var pictures: [Picture] = []
  }

  /// How a value is spread over clean and over poisoned samples, in bins of equal width.
  public struct Histogram: Codable, Sendable, Equatable {
    public var title: String
    /// The ends of the first and the last bin. Values outside were counted in these.
    public var lower: Double
    public var upper: Double
    /// Samples per bin.
    public var clean: [Int]
    public var poisoned: [Int]
    /// Cover samples, where the attack has them.
    public var cover: [Int]?
    /// Where the defense drew its line.
    public var threshold: Double?
  }

  /// Samples in the plane (t-SNE).
  public struct SampleMap: Codable, Sendable, Equatable {
    public var title: String
    public var x: [Double]
    public var y: [Double]
    /// The given label of each point.
    public var labels: [Int]
    public var poisoned: [Bool]
  }

  /// A training image and what the defense decided about it.
  public struct Picture: Codable, Sendable, Equatable {
    /// The image's index in the training set.
    public var index: Int
    /// The label that it came with.
    public var label: Int
    public var poisoned: Bool
    /// True of a cover sample; absent otherwise.
    public var cover: Bool?
    public var kept: Bool
    public var suspicion: Double?
    public var file: String
  }
}
