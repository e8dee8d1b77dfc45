import Backdoor
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
  }

  public init(_ configuration: ExperimentConfiguration, model: ModelFile, triggers: TriggerSource = .none) {
    self.configuration = configuration
    self.model = model
    self.triggers = triggers
  }

  public func run(progress: any ProgressReporter) throws -> Result {
    let context = try configuration.makeContext(progress: progress)
    let loaded = try ImageDataset.load(model.sized(configuration.dataset), .test) { progress.message($0) }
    let test = try model.fitted(loaded, settings: configuration.dataset, progress: progress)
    let opened = try model.opened(for: test, seed: configuration.seed, progress: progress)
    let model = opened.model.prepared(for: context)
    let (tasks, seed) = try triggers.tasks(configuration, for: test, named: loaded.classNames)
    let evaluator = BackdoorEvaluator(test: test.to(context.device), tasks: tasks, seed: seed)
    return Result(
      model: self.model.path, architecture: model.spec, normalization: opened.fit,
      dataset: configuration.dataset.name,
      triggers: tasks.map { "\($0.name): \($0.mapping.description(naming: test.classNames))" },
      metrics: evaluator.measure(model, context: context))
  }
}
