import Backdoor
import Files
public import Evaluation
public import Support
import Torch
import TorchNN
import Training
public import Vision

/// Measures a model file on the test split of a data set.
public struct EvaluationJob {
  public var configuration: ExperimentConfiguration
  public var model: ModelFile
  public var triggers: TriggerSource

  /// What was measured; `antidote evaluate --json` prints it.
  public struct Result: Codable, Sendable {
    public var model: String
    public var architecture: ModelSpec?
    /// How the normaliser was found; nil where the file or the user says it.
    public var normalization: NormalizationFit?
    public var dataset: String
    /// The tasks in words: `square white: all classes to 0 (airplane)`.
    public var triggers: [String]
    public var metrics: BackdoorMetrics
    /// Accuracy on images whose triggers shall not work, where a record has such; and their number.
    public var crossAccuracy: Double?
    public var crossCount: Int?
  }

  public init(_ configuration: ExperimentConfiguration, model: ModelFile, triggers: TriggerSource = .none) {
    self.configuration = configuration
    self.model = model
    self.triggers = triggers
  }

  public func run(progress: any ProgressReporter) throws -> Result {
    let context = try configuration.makeContext(progress: progress)
    var settings = try model.sized(configuration.dataset)
    // Which images a training of ours would have held out says nothing about a model from elsewhere.
    if settings.holdOut == nil, FileSystem.exists(model.path), try ModelSpec.stored(in: model.path) == nil,
      try !settings.holdsTest()
    {
      settings.holdOut = 1
    }
    let loaded = try ImageDataset.load(settings, .test) { progress.message($0) }
    let test = try model.fitted(loaded, settings: configuration.dataset, progress: progress)
    let opened = try model.opened(for: test, seed: configuration.seed, progress: progress)
    let model = opened.model.prepared(for: context)
    let stored = try triggers.stored(for: loaded).map {
      try self.model.fitted($0, settings: configuration.dataset, progress: SilentProgress())
    }
    let (evaluator, words) = try triggers.evaluator(
      configuration, for: test, stored: stored, named: loaded.classNames, on: context.device)
    var result = Result(
      model: self.model.path, architecture: model.spec, normalization: opened.fit,
      dataset: configuration.dataset.name, triggers: words, metrics: evaluator.measure(model, context: context))
    if let count = result.metrics.notFinite { throw JobError.notFinite(self.model.path, images: count) }
    guard case .record(let record) = triggers else { return result }
    /// The share of images that get their label.
    func share(_ data: ImageDataset) throws -> (share: Double, count: Int) {
      let fitted = try self.model.fitted(data, settings: configuration.dataset, progress: SilentProgress())
      let metrics = BackdoorEvaluator(test: fitted.to(context.device), tasks: [], seed: context.seed)
        .measure(model, context: context)
      return (metrics.accuracy, metrics.testCount)
    }
    if let cross = try record.crossTest(like: loaded) {
      let (accuracy, count) = try share(cross)
      (result.crossAccuracy, result.crossCount) = (accuracy, count)
    }
    if let examples = try record.examples(size: configuration.dataset.size) {
      let (success, count) = try share(examples)
      (result.metrics.attackSuccessRate, result.metrics.triggeredCount) = (success, count)
      result.triggers = ["poisoned examples: targets as they are labelled"]
    }
    return result
  }
}
