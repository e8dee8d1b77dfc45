// IBD-PSC (Hou, Feng, Hua, Luo, Zhang, Li: IBD-PSC: Input-level Backdoor Detection via Parameter-oriented Scaling
// Consistency, ICML 2024). Scaling weight and bias of a model's last BatchNorm layers makes it wrong about clean images,
// and leaves it sure about images with a trigger.
//
// Algorithm 1: k is the smallest number of last layers whose scaling by 1.5 makes the model wrong on more than .6 of some
// clean images. The scores come from the n = 5 models with k+1, ..., k+n scaled layers: the mean of the probability that
// they give the answer of the model as it is. Images with a score above .9 are rejected.
//
// The authors' code tries all numbers but that of all layers, and has no answer where none does: here the n models with
// the most scaled layers then count, and a message says so. `rule=conformal` compares an image with clean ones in place
// of the fixed threshold: p-values over those clean images that k was not chosen with, and of all images those that a
// false discovery rate of `level` allows.

public import Backdoor
import Files
public import Support
import Torch
import TorchNN
import Training
public import Vision

public struct ScalingConsistency: Defense {
  public static let id = "ibd-psc"
  public static let summary = "Rejects samples that a model stays sure of while its last BatchNorm layers are scaled."
  public static let paper = "Hou et al. 2024, IBD-PSC (ICML)"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain, .model, .cleanSplit]

  /// What is rejected.
  public enum Rule: String, Codable, Sendable, CaseIterable { case threshold, conformal }

  public struct Configuration: Configurable, Hashable {
    public var factor = 1.5
    public var models = 5
    public var error = 0.6
    public var rule = Rule.threshold
    public var threshold = 0.9
    public var level = 0.05
    public init() {}
    public static let settings: [Setting] = [
      Setting("factor", "Factor of the layers' weights and biases.", range: 0...100, source: "paper: 1.5"),
      Setting("models", "Models with one more scaled layer each.", range: 1...1000, source: "paper: 5"),
      Setting(
        "error", "So many of the clean images have to be answered wrongly for the first of them.", unit: "fraction",
        range: 0...1, source: "paper: 60%"),
      Setting(
        "rule", "A fixed threshold, or p-values by the clean images and a false discovery rate.",
        choices: Rule.allCases.map(\.rawValue), source: "paper: a threshold; decided here: conformal"),
      Setting("threshold", "Scores above it are rejected.", unit: "fraction", range: 0...1, source: "paper: .9"),
      Setting(
        "level",
        "Largest expected share of clean samples among the rejected ones, where the model has seen as little of them as of "
          + "the clean images; of its own training images it is surer.", unit: "fraction", range: 0...1,
        source: "decided here"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  /// - Throws: `DefenseError` for a model without BatchNorm, which this cannot work on.
  public static func requireLayers(of model: Classifier) throws { _ = try layers(of: model) }

  static func layers(of model: Classifier) throws -> [BatchNorm2d] {
    try BatchNormLayers.require(
      model, by: id, for: "it scales the last of them", others: "spectral and activation-clustering do without.")
  }

  /// Of so many clean images, those that choose the layers; p-values are over the others.
  public static func choosing(of count: Int) -> Int { (count + 1) / 2 }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (c, context) = (configuration, input.training)
    let (suspect, data) = (try input.model(), try input.poisonedTrain().to(context.device))
    let clean = try input.cleanSplit().to(context.device)
    var scaled = try ScaledLayers(suspect, factor: c.factor, context)
    // p-values are exact over images that nothing was chosen with, for samples that the model knows as little as these.
    var random = input.seed.generator(Self.id)
    let order = random.permutation(clean.count)
    let half = c.rule == .conformal ? Self.choosing(of: clean.count) : clean.count
    guard half < clean.count || c.rule == .threshold else {
      throw DefenseError.invalid("\(Self.id): p-values need clean images, better a hundred or more.")
    }
    scaled.first = try scaled.count(
      withErrorAbove: c.error, on: clean.subset(order[..<half].sorted()), models: c.models)
    let scores = try scaled.scores(of: data, models: c.models)
    let title = "mean probability under scaled layers"
    switch c.rule {
    case .threshold:
      return .filter(
        rejecting: Set(scores.indices.filter { scores[$0] > c.threshold }), of: data.count, suspicion: scores,
        [SampleScores(title: title, values: scores, threshold: c.threshold)])
    case .conformal:
      let null = ConformalNull(try scaled.scores(of: clean.subset(order[half...].sorted()), models: c.models))
      let pValues = scores.map(null.pValue)
      let rejected = ConformalNull.rejected(pValues, level: c.level)
      let least = Int((null.smallestPValue * Double(data.count) / max(c.level, 1e-9)).rounded(.up))
      context.progress.message(
        "\(Self.id): p-values by \(formatCount(clean.count - half)) clean images; the smallest rejects no fewer than "
          + "\(formatCount(least)) of \(formatCount(data.count)) images together at level \(c.level)")
      return .filter(
        rejecting: Set(rejected), of: data.count, suspicion: scores,
        [
          SampleScores(title: title, values: scores, threshold: rejected.map { scores[$0] }.min()),
          SampleScores(title: "p-value", values: pValues),
        ])
    }
  }
}

/// A copy of a model of which the last BatchNorm layers can be scaled.
struct ScaledLayers {
  private let copy: Classifier
  /// From the last one on, with weight and bias as they are.
  private let layers: [(layer: BatchNorm2d, weight: Tensor, bias: Tensor)]
  private let factor: Double
  private let context: TrainingContext
  /// k: so many layers make the model wrong about clean images.
  var first = 1

  /// - Throws: `DefenseError` for a model without BatchNorm.
  init(_ suspect: Classifier, factor: Double, _ context: TrainingContext) throws {
    let copy = try suspect.copied().eval()
    copy.to(context.device)
    layers = try ScalingConsistency.layers(of: copy).reversed().map {
      ($0, $0.weight.detach().clone(), $0.bias.detach().clone())
    }
    (self.copy, self.factor, self.context) = (copy, factor, context)
  }

  /// The model with so many of its last layers scaled; with all of them where there are not so many.
  func model(scaling count: Int) -> Classifier {
    noGrad {
      for (place, (layer, weight, bias)) in layers.enumerated() {
        layer.weight.copy_(place < count ? weight * factor : weight)
        layer.bias.copy_(place < count ? bias * factor : bias)
      }
    }
    return copy
  }

  /// The smallest number of last layers whose scaling makes the model wrong on more than a share of labelled images;
  /// where none does, the one that `models` more layers follow.
  func count(withErrorAbove share: Double, on clean: ImageDataset, models: Int) throws -> Int {
    for count in 1..<max(layers.count, 2) {
      try Interruption.check()
      if error(scaling: count, on: clean) > share { return count }
    }
    context.progress.message(
      "\(ScalingConsistency.id): however many layers are scaled, the model is wrong on no more than \(share) of the clean "
        + "images, which makes scores of little worth (defense.error, defense.factor)")
    return max(1, layers.count - models)
  }

  /// Share of labelled images that the model with so many scaled layers is wrong on.
  func error(scaling count: Int, on clean: ImageDataset) -> Double {
    let answers = model(scaling: count).logits(of: clean, context: context).argmax(1)
    return (answers .!= clean.labels).to(.float64).mean().item()
  }

  /// Of each image, the mean probability that models with `first` + 1, ..., `first` + n scaled layers give the answer of
  /// the model as it is.
  func scores(of data: ImageDataset, models: Int) throws -> [Double] {
    let answers = model(scaling: 0).logits(of: data, context: context).argmax(1).unsqueezed(1)
    var total = Tensor.zeros([data.count], dtype: .float64, device: context.device)
    context.progress.begin(ScalingConsistency.id, total: models, unit: "models")
    defer { context.progress.end() }
    for number in 1...models {
      try Interruption.check()
      let logits = model(scaling: first + number).logits(of: data, context: context)
      let sure = noGrad { F.logSoftmax(logits).gathered(1, answers).squeezed(1).exp().to(.float64) }
      total = noGrad { total + sure }
      context.progress.update(done: number)
    }
    return noGrad { total / Double(models) }.array(Double.self)
  }
}
