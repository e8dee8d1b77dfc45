import Backdoor
public import SelfSupervision
public import Support
import Torch
import TorchNN
import Training
import Vision

/// The settings of the first two stages, which the defense and the filter share.
public protocol DecoupledSettings: Configurable {
  var pretrain: SelfSupervisedTraining { get }
  var tune: HeadTuning { get }
  var credible: Double { get }
  var within: CredibleScope { get }
  var flip: Bool { get }
  var embeddings: Int { get }
}

/// Among whom the smallest losses are looked for.
public enum CredibleScope: String, Codable, Sendable, CaseIterable {
  /// The whole training set.
  case all
  /// The samples of each given label.
  case `class`
}

extension DecoupledSettings {
  static var shared: [Setting] {
    [
      Setting("pretrain", "Stage 1: features without labels.", nested: SelfSupervisedTraining.self),
      Setting("tune", "Stage 2: the last layer on these features.", nested: HeadTuning.self),
      Setting(
        "credible", "Share of the training set whose labels are believed: the smallest losses.", unit: "fraction",
        range: 0.001...0.999,
        source: "paper"),
      Setting(
        "within",
        "Where that share is taken: of the whole set, or of each given label, which keeps classes that weak features "
          + "do not separate.",
        choices: CredibleScope.allCases.map(\.rawValue), source: "paper: all"),
      Setting("flip", "Mirror images at random, in all stages; false where a mirrored image is another class."),
      Setting(
        "embeddings",
        "Training images whose features are handed over for a map, drawn at random where there are more; 0 hands over "
          + "none.",
        unit: "images", range: 0...10_000_000),
    ]
  }

  /// Stage 1: the backbone's features from images alone.
  var features: SelfSupervisedTraining {
    var pretrain = pretrain
    pretrain.flip = pretrain.flip && flip
    return pretrain
  }

  /// A split as an outcome: who is kept, and why.
  func outcome(_ split: CredibleSplit) -> DefenseOutcome {
    func positions(_ side: Tensor) -> [Int] { side.array(Int64.self).map(Int.init).sorted() }
    return DefenseOutcome(
      filtered: (positions(split.credible), positions(split.other)),
      suspicion: split.losses.to(.float64).array(Double.self))
  }

  /// Who is credible to the model as it is.
  /// - Parameter number: of the split, from 0, for the draws of `tune.scoring=augmented`.
  func split(_ data: ImageDataset, by model: Classifier, _ context: TrainingContext, number: Int) -> CredibleSplit {
    tune.split(
      data, by: model, share: credible, within: within, flip: flip, context: context,
      generator: context.generator("dbd/score", number))
  }

  func scores(_ title: String, _ split: CredibleSplit) -> SampleScores {
    SampleScores(title: title, values: split.losses.to(.float64).array(Double.self), threshold: split.threshold)
  }

  /// Features of the training set, or of a random part of it: the whole of it for whoever knows which samples are
  /// poisoned and wants to see these.
  func embedding(_ title: String, _ model: Classifier, _ data: ImageDataset, _ context: TrainingContext) -> [Embedding]
  {
    let count = min(embeddings, data.count)
    guard count > 0 else { return [] }
    var generator = context.seed.generator("dbd/embeddings")
    let indices = generator.sample(count, of: data.count, sorted: true)
    let chosen = data.subset(indices)
    return [
      Embedding(title: title, features: model.penultimateFeatures(of: chosen, context: context), indices: indices)
    ]
  }

  /// What no stage could work with.
  func check(_ data: ImageDataset) throws(DefenseError) {
    for (key, crop) in [("tune.crop", tune.crop)] { try checkCrop(key, crop, data) }
    let classes = Dictionary(grouping: data.labelArray()) { $0 }.values.map(\.count)
    let parts = within == .class ? classes : [data.count]
    guard parts.contains(where: { Int(credible * Double($0)) > 0 }) else {
      let whole = within == .class ? "any class" : "\(data.count)"
      throw .invalid("defense.credible \(credible): that is no sample of \(whole). Raise it, or use more data.")
    }
  }

  func checkCrop(_ key: String, _ crop: Int, _ data: ImageDataset) throws(DefenseError) {
    guard crop < min(data.height, data.width) else {
      throw .invalid(
        "defense.\(key) \(crop): the border mirrors the image, which has \(data.height) x \(data.width) pixels. Make "
          + "it smaller."
      )
    }
  }
}
