// Spectral signatures (Tran, Li, Madry: Spectral Signatures in Backdoor Attacks, NeurIPS 2018), algorithm 1: of each
// label's samples, those whose features correlate most with the top singular vector of the centred features are
// rejected. Another model is then trained on the rest.
//
// The paper removes the 1.5 eps largest scores of each label, with eps an upper bound of the number of poisoned samples;
// here eps is their share of the training set. Its CIFAR-10 experiments plant 500 among 50,000 and remove 750 of each
// class of 5,000: eps .01. Where the paper is silent: what happens to a class that has no more samples than that. The
// theory needs the poison to be a minority of its class, so no more than half of a class is rejected (`classLimit`); a
// message says where that happens.
//
// The authors' script scores uncentred features and removes what lies above the 85th percentile of a class, as the
// benchmarks do: `rule=percentile`, `centred=false`.

public import Backdoor
import Files
public import Support
public import Torch
import Training
import Vision

public struct SpectralSignatures: Defense {
  public static let id = "spectral"
  public static let summary = "Rejects the samples of each class that stand out along its features' main direction."
  public static let paper = "Tran et al. 2018, Spectral Signatures in Backdoor Attacks (NeurIPS)"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain, .model]

  /// How many samples of a class are rejected.
  public enum Rule: String, Codable, Sendable, CaseIterable { case count, percentile }

  public static let presets = [
    SettingsPreset(
      "backdoorbench", "BackdoorBench, defense/spectral.py, as the authors' script",
      ["rule": "percentile", "centred": false])
  ]

  public struct Configuration: Configurable, Hashable {
    public var rule = Rule.count
    public var eps = 0.01
    public var factor = 1.5
    public var percentile = 85.0
    public var classLimit = 0.5
    public var centred = true
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "rule",
        "What is rejected of each class: its `factor * eps * N` largest scores, or those above a percentile of them.",
        choices: Rule.allCases.map(\.rawValue), source: "paper: count; authors' script and benchmarks: percentile"),
      Setting(
        "eps", "Upper bound of the share of the training set that is poisoned.", unit: "fraction", range: 0...1,
        source: "paper: 500 of 50,000 (also 250)"),
      Setting("factor", "So many times that are rejected.", range: 0...100, source: "paper, algorithm 1"),
      Setting(
        "percentile", "Percentile of a class's scores above which samples are rejected.", unit: "percent",
        range: 0...100, source: "authors' script"),
      Setting(
        "classLimit", "Largest share of a class that is rejected by count.", unit: "fraction", range: 0...1,
        source: "open in the paper, whose theorem needs a minority"),
      Setting(
        "centred", "Score centred features, or features as they are along the direction of the centred ones.",
        source: "paper: centred; authors' script: not"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let classes = try ClassFeatures(input, id: Self.id)
    var suspicion = [Double](repeating: 0, count: classes.count)
    var rejected: Set<Int> = []
    var limited: [Int] = []
    for (label, members) in classes.members.enumerated() where !members.isEmpty {
      let scores = Self.scores(of: classes.of(label), centred: configuration.centred).array(Double.self)
      for (position, score) in zip(members, scores) { suspicion[position] = score }
      rejected.formUnion(outliers(scores, total: classes.count).map { members[$0] })
      if configuration.rule == .count, wanted(classes.count) > limit(members.count) { limited.append(label) }
    }
    if !limited.isEmpty {
      input.training.progress.message(
        "\(Self.id): \(formatCount(wanted(classes.count))) samples (defense.eps times defense.factor) are more than "
          + "\(configuration.classLimit) of \(limited.count) of the classes, which lose that share instead: poison is "
          + "assumed to be a minority of its class (defense.classLimit).")
    }
    return .filter(
      rejecting: rejected, of: classes.count, suspicion: suspicion,
      [SampleScores(title: "squared correlation with the class's main direction", values: suspicion)])
  }

  /// Squared products of a class's features with the top right singular vector of the centred features.
  /// - Parameters:
  ///   - features: float64 n x D.
  ///   - centred: whether the mean is subtracted from what is scored, too.
  /// - Returns: float64 n.
  public static func scores(of features: Tensor, centred: Bool = true) -> Tensor {
    noGrad {
      let (deviations, _, directions) = FeatureReduction.decomposed(features)
      return (centred ? deviations : features).matmul(directions[0].unsqueezed(1)).squeezed(1).square()
    }
  }

  private func wanted(_ total: Int) -> Int {
    Int((configuration.factor * configuration.eps * Double(total)).rounded())
  }
  private func limit(_ members: Int) -> Int { Int(configuration.classLimit * Double(members)) }

  /// Positions in `scores` that are rejected; of equal scores the earlier sample.
  func outliers(_ scores: [Double], total: Int) -> [Int] {
    switch configuration.rule {
    case .count:
      let order = scores.indices.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
      return Array(order.prefix(min(wanted(total), limit(scores.count))))
    case .percentile:
      let bound = Self.percentile(configuration.percentile, of: scores)
      return scores.indices.filter { scores[$0] > bound }
    }
  }

  /// With linear interpolation between neighbours, as numpy's.
  static func percentile(_ percent: Double, of values: [Double]) -> Double {
    let sorted = values.sorted()
    let place = percent / 100 * Double(sorted.count - 1)
    let (lower, upper) = (Int(place.rounded(.down)), Int(place.rounded(.up)))
    return sorted[lower] + (sorted[upper] - sorted[lower]) * (place - Double(lower))
  }
}
