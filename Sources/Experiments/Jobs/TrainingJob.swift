public import Evaluation
import Files
public import Support
public import Vision
import Torch
import Training

/// Trains a model on the training split of any data set and writes it as one file. The same job goes on where an
/// earlier process stopped, to the same bits.
public struct TrainingJob {
  public var configuration: ExperimentConfiguration
  /// The model's file; it must not exist.
  public var output: String
  /// Where checkpoints are kept; nil is `<output>.work`.
  public var work: String?

  /// What came out.
  public struct Result {
    public let model: Classifier
    public let trainCount: Int
    /// Accuracy on the test split; nil where there is none.
    public let metrics: BackdoorMetrics?
  }

  /// The configuration's attack, defense and clean images play no part.
  public init(_ configuration: ExperimentConfiguration, output: String, work: String? = nil) {
    self.configuration = configuration
    self.output = output
    self.work = work
  }

  /// - Throws: `JobError`, `DataError`, `TrainingError`, `RunStoreError`, `Interrupted`; there is then no file of that
  ///   name.
  public func run(progress: any ProgressReporter) throws -> Result {
    try OutputCheck.file(output)
    let context = try configuration.makeContext(
      progress: progress, goingOnFrom: JobFolder.earlier(at: work, output: output))
    let splits = try DatasetSplits.load(configuration.dataset) { progress.message($0) }
    let train = splits.train
    let identity = try configuration.identity(job: "train", images: train, ["model", "recipe"])
    return try JobFolder(at: work, output: output, identity: identity).perform(context) { folder in
      let test = splits.test?.to(context.device)
      progress.message(
        "data: \(formatCount(train.count)) training images, \(train.height)x\(train.width), \(train.classes) classes")
      let measurer = test.map { ModelMeasurer(BackdoorEvaluator(test: $0, tasks: [], seed: context.seed)) }
      EpochObserver(every: configuration.evaluation.every, measurer: measurer).observe(context)
      let model = try configuration.train(on: train.to(context.device), stage: Cell.stage, context: context)
      try folder.publish(output) { try model.save(output) }
      return Result(model: model, trainCount: train.count, metrics: try measurer?.measure(model, context).metrics)
    }
  }
}
