// Activation clustering (Chen et al.: Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering, 2018):
// the last hidden layer's activations of each label's samples, reduced to ten independent components, fall into two
// clusters. Where one of them looks like poison it is rejected, and another model is trained on the rest.
//
// Which clusters look like poison (section 4.2 of the paper): the smaller one where it is less than 35% of its class
// (`relative-size`; the share is the Adversarial Robustness Toolbox's), or where the two are well separated, with a
// silhouette of .1 or more (`silhouette`; the paper sees .10 to .15 as the border); `smaller` always rejects the smaller
// one, as the benchmarks do, which with clean data, too, costs every class up to half of its samples. Not here: the
// paper's third rule, which trains a model for each doubtful cluster.
//
// Where the paper is silent: k-means starts ten times; a class of fewer than `least` samples is kept as it is.

public import Backdoor
import Files
import Foundation
public import Support
import Torch
import Training
import Vision

public struct ActivationClustering: Defense {
  public static let id = "activation-clustering"
  public static let summary = "Rejects one of two clusters of a class's activations where it looks like poison."
  public static let paper =
    "Chen et al. 2018, Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain, .model]

  public enum Reduction: String, Codable, Sendable, CaseIterable { case ica, pca }
  /// When the smaller cluster of a class is rejected.
  public enum Rule: String, Codable, Sendable, CaseIterable {
    case relativeSize = "relative-size"
    case silhouette, smaller
  }

  public static let presets = [
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/ac/config.yaml", ["reduction": "pca", "rule": "smaller"])
  ]

  public struct Configuration: Configurable, Hashable {
    public var reduction = Reduction.ica
    public var components = 10
    public var rule = Rule.relativeSize
    public var relativeSize = 0.35
    public var silhouette = 0.1
    public var starts = 10
    public var least = 10
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "reduction", "Independent or principal components of a class's features.",
        choices: Reduction.allCases.map(\.rawValue), source: "paper: ica; benchmarks: pca"),
      Setting("components", "How many of them.", range: 1...1000, source: "paper"),
      Setting(
        "rule",
        "When the smaller cluster of a class is rejected: where it is small enough, where the two are well separated, "
          + "or always.",
        choices: Rule.allCases.map(\.rawValue), source: "paper: the first two; benchmarks: smaller"),
      Setting(
        "relativeSize", "Share of the class below which its smaller cluster is rejected by relative-size.",
        unit: "fraction", range: 0...1, source: "Adversarial Robustness Toolbox"),
      Setting(
        "silhouette", "Mean silhouette from which on the smaller cluster is rejected by silhouette.", range: -1...1,
        source: "paper: .10 to .15"),
      Setting(
        "starts", "Draws of k-means' first centres; the best counts.", range: 1...1000, source: "open in the paper"),
      Setting(
        "least", "Classes of fewer samples are kept as they are.", unit: "samples", range: 2...1_000_000,
        source: "open in the paper"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  /// What is found about a class.
  struct Finding {
    let isSmaller: [Bool]
    /// From -1, at the larger cluster's centre, to 1, at the smaller one's.
    let lean: [Double]
    let share: Double
    let silhouette: Double
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let classes = try ClassFeatures(input, id: Self.id)
    var suspicion = [Double](repeating: -1, count: classes.count)
    var lean = suspicion
    var rejected: Set<Int> = []
    for (label, members) in classes.members.enumerated() where members.count >= configuration.least {
      let found = noGrad { find(classes.of(label), input.seed, label: label) }
      // A class whose samples look all alike has no second cluster.
      let isPoison = found.isSmaller.contains(true) && rejects(share: found.share, silhouette: found.silhouette)
      for (row, position) in members.enumerated() {
        lean[position] = found.lean[row]
        suspicion[position] = found.lean[row] + (isPoison ? 2 : 0)
        if isPoison, found.isSmaller[row] { rejected.insert(position) }
      }
      input.training.progress.message(
        "\(Self.id): class \(label): smaller cluster \(formatPercent(found.share)), silhouette "
          + "\(String(format: "%.2f", found.silhouette)): \(isPoison ? "rejected" : "kept")")
    }
    return .filter(
      rejecting: rejected, of: classes.count, suspicion: suspicion,
      [SampleScores(title: "lean towards the smaller cluster of the class", values: lean, threshold: 0)])
  }

  func rejects(share: Double, silhouette: Double) -> Bool {
    switch configuration.rule {
    case .relativeSize: share < configuration.relativeSize
    case .silhouette: silhouette >= configuration.silhouette
    case .smaller: true
    }
  }

  /// - Parameter features: float64 n x D of one class.
  func find(_ features: Tensor, _ seed: Seed, label: Int) -> Finding {
    let count = configuration.components
    let points =
      switch configuration.reduction {
      case .pca: FeatureReduction.principal(features, count: count).components
      case .ica:
        FeatureReduction.independent(
          features, count: count,
          start: Generator(seed: seed("\(Self.id)/ica", label)).normal([count, count], dtype: .float64))
      }
    guard points.dimension(1) > 0 else {
      // All samples have the same features.
      let n = features.dimension(0)
      return Finding(
        isSmaller: .init(repeating: false, count: n), lean: .init(repeating: -1, count: n), share: 0, silhouette: 0)
    }
    var generator = seed.generator("\(Self.id)/means/\(label)")
    let clusters = TwoMeans(points, starts: configuration.starts, generator: &generator)
    let second = clusters.secondCount
    let secondIsSmaller = 2 * second < clusters.isSecond.count
    let distances = TwoMeans.squaredDistances(points, clusters.centres).sqrt()
    let (toFirst, toSecond) = (distances.narrowed(1, 0..<1), distances.narrowed(1, 1..<2))
    let lean = ((toFirst - toSecond) / toFirst.maximum(toSecond).clamped(min: 1e-300)).reshaped(-1)
    return Finding(
      isSmaller: clusters.isSecond.map { $0 == secondIsSmaller },
      lean: (secondIsSmaller ? lean : -lean).array(Double.self),
      share: Double(min(second, clusters.isSecond.count - second)) / Double(clusters.isSecond.count),
      silhouette: TwoMeans.silhouette(points, clusters.isSecond))
  }
}
