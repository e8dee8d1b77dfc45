import Files
public import Support
import Torch
public import Vision

/// Writes a model file in the format of other programs.
public struct ExportJob {
  public var configuration: ExperimentConfiguration
  public var model: ModelFile
  public var format: ExportFormat
  public var output: String
  /// Whether the configuration's data set tells what the file does not say.
  public var hasData: Bool

  public init(
    _ configuration: ExperimentConfiguration, model: ModelFile, format: ExportFormat, output: String, hasData: Bool
  ) {
    (self.configuration, self.model, self.format) = (configuration, model, format)
    (self.output, self.hasData) = (output, hasData)
  }

  /// - Returns: the model that was written.
  /// - Throws: `JobError` for a file that leaves something open; whatever opening and writing throw.
  @discardableResult
  public func run(progress: any ProgressReporter) throws -> ModelSpec {
    guard !FileSystem.exists(output) else { throw JobError.outputExists(path: output) }
    try OutputCheck.file(output)
    let classifier = try opened(progress)
    try FileSystem.createFolder(Path.parent(output))
    try classifier.export(format, to: output)
    guard let spec = classifier.spec else { throw JobError.invalid("\(model.path): the model has no description.") }
    return spec
  }

  private func opened(_ progress: any ProgressReporter) throws -> Classifier {
    if !hasData, FileSystem.exists(model.path), model.named == nil {
      guard try ModelSpec.stored(in: model.path) != nil else {
        throw JobError.invalid(
          "\(model.path): the file does not say what its images are like, how large and how normalised. Name the data set "
            + "that it is for, such as --dataset cifar10 --data path/to/data, or --dataset folder.")
      }
      if let classMap = model.classMap {
        throw JobError.invalid(
          "\(classMap.path): --class-map puts a data set's classes in the model's order, and \(model.path) needs no data set to "
            + "be exported. Leave it out.")
      }
      var options = model.options
      options.onNote = { progress.message($0) }
      let opened = try Classifier.open(model.path, options: options)
      try model.checkWidth(of: opened)
      let (channels, own) = (opened.spec?.shape.channels ?? 3, opened.normalization)
      opened.normalization = (try model.normalization?.values(channels: channels) ?? own)
        .ordered(try model.channelOrder?.checked(channels) ?? own.channelOrder ?? .rgb)
      return opened
    }
    let loaded = try ImageDataset.load(model.sized(configuration.dataset), .test) { progress.message($0) }
    let test = try model.fitted(loaded, settings: configuration.dataset, progress: progress)
    return try model.open(for: test, progress: progress)
  }
}
