import Backdoor
public import Evaluation
public import Support
import Torch
import TorchNN
import Training
public import Vision

/// Which triggers a model is measured by.
public enum TriggerSource: Sendable {
  /// None: accuracy alone.
  case none
  /// Those of a `poison.json`.
  case manifest(path: String)
  /// Those that the configuration's attack makes.
  case attack

  /// The implants, and the seed of the run that they belong to.
  func implants(_ configuration: ExperimentConfiguration, for data: ImageDataset) throws -> (implants: [Implant], seed: Seed) {
    switch self {
    case .none: return ([], configuration.seed)
    case .manifest(let path):
      let manifest = try PoisonManifest(contentsOf: path)
      return (try manifest.makeImplants(for: data, source: path), Seed(manifest.seed))
    case .attack:
      let implants = try configuration.makeAttack()?.implants(for: data.shape, seed: configuration.seed.stream("attack"))
      return (implants ?? [], configuration.seed)
    }
  }
}

/// Measures a model file on the test split of a data set.
public struct EvaluationJob {
  public var configuration: ExperimentConfiguration
  public var model: ModelFile
  public var triggers: TriggerSource

  /// What was measured; `antidote evaluate --json` prints it.
  public struct Result: Codable, Sendable {
    public var model: String
    public var architecture: ModelSpec?
    public var dataset: String
    /// The implants in words: `square white: all classes to 0`.
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
    let test = try ImageDataset.load(configuration.dataset, .test)
    let (implants, seed) = try triggers.implants(configuration, for: test)
    let model = try model.open(for: test)
    model.to(context.device).to(.channelsLast).eval()
    let evaluator = BackdoorEvaluator(test: test.to(context.device), implants: implants, seed: seed)
    return Result(
      model: self.model.path, architecture: model.spec, dataset: configuration.dataset.name,
      triggers: implants.map { "\($0.name): \($0.mapping)" }, metrics: evaluator.measure(model, context: context))
  }
}
