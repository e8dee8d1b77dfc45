public import Evaluation

/// What a defense said about the training samples. Only the record knows which of them were poisoned.
extension RunRecord {
  public struct Findings: Codable, Sendable, Equatable {
    /// nil where the defense neither filtered nor scored.
    public var detection: DetectionMetrics?
    public var histograms: [Histogram]
    public var maps: [SampleMap]
    public var pictures: [Picture]

    public init(detection: DetectionMetrics? = nil, histograms: [Histogram] = [], maps: [SampleMap] = [], pictures: [Picture] = []) {
      self.detection = detection
      self.histograms = histograms
      self.maps = maps
      self.pictures = pictures
    }
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
    /// Where the defense drew its line.
    public var threshold: Double?

    public init(title: String, lower: Double, upper: Double, clean: [Int], poisoned: [Int], threshold: Double? = nil) {
      self.title = title
      self.lower = lower
      self.upper = upper
      self.clean = clean
      self.poisoned = poisoned
      self.threshold = threshold
    }
  }

  /// Samples in the plane (t-SNE).
  public struct SampleMap: Codable, Sendable, Equatable {
    public var title: String
    public var x: [Double]
    public var y: [Double]
    /// The given label of each point.
    public var labels: [Int]
    public var poisoned: [Bool]

    public init(title: String, x: [Double], y: [Double], labels: [Int], poisoned: [Bool]) {
      self.title = title
      self.x = x
      self.y = y
      self.labels = labels
      self.poisoned = poisoned
    }
  }

  /// A training image and what the defense decided about it.
  public struct Picture: Codable, Sendable, Equatable {
    /// The image's index in the training set.
    public var index: Int
    /// The label that it came with.
    public var label: Int
    public var poisoned: Bool
    public var kept: Bool
    public var suspicion: Double?
    public var file: String

    public init(index: Int, label: Int, poisoned: Bool, kept: Bool, suspicion: Double?, file: String) {
      self.index = index
      self.label = label
      self.poisoned = poisoned
      self.kept = kept
      self.suspicion = suspicion
      self.file = file
    }
  }
}
