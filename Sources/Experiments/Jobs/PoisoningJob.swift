import Backdoor
import Evaluation
import Files
import Foundation
public import Support
import Torch
import Training
import Vision

/// Poisons a data set and writes it as a folder, whole or not at all:
///
/// ```
/// train.safetensors            the poisoned training set
/// test.safetensors             the clean test set, where there is one
/// test-triggered.safetensors   test images that the attack aims at, with trigger and targets; one file a task
/// poison.json                  what was done; see PoisonManifest
/// attack.safetensors           what the attack learned, if it is one that learns: a trigger, say
/// model.safetensors            of an attack that trains the model itself
/// png/train/<class>/...        the same images for other programs, if asked for
/// ```
///
/// `--dataset tensors --data FOLDER` loads it again.
public struct PoisoningJob {
  public var configuration: ExperimentConfiguration
  /// The folder; it must not exist.
  public var output: String
  /// Write PNG files too.
  public var writesPNG: Bool

  public init(_ configuration: ExperimentConfiguration, output: String, writesPNG: Bool = false) {
    self.configuration = configuration
    self.output = output
    self.writesPNG = writesPNG
  }

  /// - Throws: `JobError`, `DataError`, `BackdoorError`, `RunStoreError`, `Interrupted`. The folder is then not there.
  public func run(progress: any ProgressReporter) throws -> PoisonManifest {
    guard configuration.attack != nil else { throw Self.nothingToDo }
    try OutputCheck.folder(output)
    let context = try configuration.makeContext(progress: progress, goingOnFrom: JobFolder.earlier(output: output))
    let splits = try DatasetSplits.load(configuration.dataset) { progress.message($0) }
    let (train, test) = (splits.train, splits.test)
    let identity = try configuration.identity(job: "attack", images: train, ["attack", "clean", "model", "recipe"])
    let folder = try JobFolder(output: output, identity: identity)
    return try folder.perform(context) { folder in
      let learned = "\(folder.path)/\(LearnedAttack.fileName)"
      let cell = try Cell(configuration, data: (train.to(context.device), train), context: context, attackFile: learned)
      guard let outcome = cell.attackOutcome, var manifest = try cell.manifest() else { throw Self.nothingToDo }
      return try AtomicFolder.write(to: output) { path in
        try write(outcome, test: test, to: path, &manifest, progress: progress)
        if FileSystem.exists(learned) {
          try LearnedAttack.write(LearnedAttack.read(learned), to: "\(path)/\(LearnedAttack.fileName)")
        }
        try manifest.write(to: "\(path)/\(PoisonManifest.fileName)")
        return manifest
      }
    }
  }

  private static var nothingToDo: JobError { .invalid("attack.name: none poisons nothing. Choose an attack.") }

  private func write(
    _ outcome: AttackOutcome, test: ImageDataset?, to path: String, _ manifest: inout PoisonManifest,
    progress: any ProgressReporter
  ) throws {
    let data = outcome.train.data
    try TensorFiles.write(data, split: .train, folder: path)
    try writePNG(data, "\(path)/png/train", progress)
    try outcome.model?.save("\(path)/\(RunDirectory.modelName)")
    guard let test else { return }
    try TensorFiles.write(test, split: .test, folder: path)
    try writePNG(test, "\(path)/png/test", progress)
    let evaluator = BackdoorEvaluator(test: test, tasks: outcome.tasks, seed: configuration.seed)
    for number in outcome.tasks.indices {
      let name = outcome.tasks.count == 1 ? "test-triggered" : "test-triggered-\(number + 1)"
      let aimed = (0..<test.count).filter { evaluator.target($0, task: number) != nil }
      let triggered = evaluator.triggered(number).subset(aimed)
      let targets = aimed.compactMap { evaluator.target($0, task: number).map(Int64.init) }
      try TensorFiles.write(
        triggered, to: "\(path)/\(name).safetensors",
        extra: [("targets", Tensor(targets)), ("positions", Tensor(aimed.map(Int64.init)))],
        metadata: [
          "task": outcome.tasks[number].name,
          "mapping": outcome.tasks[number].mapping.description(naming: data.classNames),
        ])
      manifest.tasks[number].visibility = evaluator.visibility(task: number)
      manifest.tasks[number].triggeredTest = "\(name).safetensors"
      try writePNG(triggered, "\(path)/png/\(name)", progress, numbers: aimed)
      try Interruption.check()
    }
  }

  private func writePNG(_ data: ImageDataset, _ folder: String, _ progress: any ProgressReporter, numbers: [Int]? = nil)
    throws
  {
    if writesPNG { try PNGFolder.write(data, to: folder, numbers: numbers, progress: progress) }
  }
}
