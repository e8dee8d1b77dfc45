import Evaluation
import Files
public import Support
import Torch
import TorchNN
import Training
public import Vision

/// What a model file says of images: classes, probabilities and logits, written as a table or as tensors.
public struct PredictionJob {
  public var configuration: ExperimentConfiguration
  public var model: ModelFile
  /// Which images; nil takes the test split, or all images where files of the user's own have none.
  public var split: DataSplit?
  /// A table (CSV) or, by its ending, safetensors; it must not exist.
  public var output: String

  /// What came out; `antidote predict --json` prints it.
  public struct Result: Codable, Sendable {
    public var model: String
    public var architecture: ModelSpec?
    /// How the normaliser was found; nil where the file or the user says it.
    public var normalization: NormalizationFit?
    public var dataset: String
    public var split: DataSplit
    public var images: Int
    /// Over the images that have a label; nil where none has.
    public var accuracy: Double?
    public var labelled: Int
    /// How many images each class was given, in the order of the logits.
    public var predicted: [ClassCount]
    public var output: String

    public struct ClassCount: Codable, Sendable, Equatable {
      public var name: String
      public var images: Int
    }
  }

  public init(_ configuration: ExperimentConfiguration, model: ModelFile, split: DataSplit? = nil, output: String) {
    self.configuration = configuration
    self.model = model
    self.split = split
    self.output = output
    // Predictions are compared with those of other programs.
    if self.configuration.general.precision == .auto { self.configuration.general.precision = .float32 }
  }

  /// - Throws: `JobError`, `DataError`, `ModelFileError` and the like; there is then no file of that name.
  public func run(progress: any ProgressReporter) throws -> Result {
    try OutputCheck.file(output)
    guard !FileSystem.exists(output) else { throw JobError.outputExists(path: output) }
    let context = try configuration.makeContext(progress: progress)
    let (loaded, split) = try model.images(configuration.dataset, split: split, progress: progress)
    let data = try model.fitted(loaded, settings: configuration.dataset, progress: progress)
    let opened = try model.opened(for: data, seed: configuration.seed, progress: progress)
    let model = opened.model.prepared(for: context)
    let predictions = try Predictions(
      logits: logits(of: model, on: data.to(context.device), context, progress), data: data,
      classNames: data.classNames)
    let bad = predictions.logits.rowsNotFinite
    if bad > 0 { throw JobError.notFinite(self.model.path, images: bad) }
    try FileSystem.createFolder(Path.parent(output))
    try predictions.write(to: output)
    return Result(
      model: self.model.path, architecture: model.spec, normalization: opened.fit, dataset: data.name, split: split,
      images: data.count, accuracy: predictions.accuracy, labelled: predictions.labelled,
      predicted: predictions.counts, output: output)
  }

  private func logits(
    of model: Classifier, on data: ImageDataset, _ context: TrainingContext, _ progress: any ProgressReporter
  ) throws -> Tensor {
    progress.begin("predictions", total: data.count, unit: "images")
    defer { progress.end(summary: "\(formatCount(data.count)) images") }
    var parts: [Tensor] = []
    for range in Batches(count: data.count, size: Batches.evaluationSize).ranges {
      try Interruption.check()
      parts.append(model.logits(of: data.subset(Array(range)), context: context).to(.cpu))
      progress.update(done: range.upperBound)
    }
    return Tensor.concatenated(parts)
  }
}
