import Files
import Foundation
import Support
import Torch
import TorchNN
import Vision

/// The runs beside one that have parts in common with it: the attack, the backdoored model, the features of a defense.
/// The runs of a grid compute each of them once: the first run keeps them, the others take them from there.
struct SiblingRuns {
  let directory: RunDirectory
  let configuration: ExperimentConfiguration
  let environment: RunRecord.Environment
  let progress: any ProgressReporter

  /// The backdoored model of a sibling, which is then this run's too; nil if there is none.
  /// - Parameter data: what it was trained on.
  func takeBackdooredModel(for data: ImageDataset) throws -> (model: Classifier, artifact: RunRecord.Artifact)? {
    let file = ExperimentRunner.backdooredModelName
    let wanted = try configuration.model.spec(for: data)
    let found = try first(with: file, { try $0.backdooredModelID() }) { try Self.model(at: $0, wanted) }
    guard let (model, sibling, artifact) = found else { return nil }
    progress.message("train: the same model was trained for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0 == Cell.stage }
    model.classNames = data.classNames
    try model.save(directory.file(file))
    return (model, try artifact.rewritten(directory.file(file)))
  }

  /// Takes over what the attack of a sibling learned.
  func takeAttack() throws -> RunRecord.Artifact? {
    let file = directory.file(LearnedAttack.fileName)
    let found = try first(with: LearnedAttack.fileName, { try $0.backdooredModelID() }, LearnedAttack.read)
    guard let (learned, sibling, artifact) = found else { return nil }
    progress.message("attack: the same was learned for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0.hasPrefix("attack-") }
    try LearnedAttack.write(learned, to: file)
    return try artifact.rewritten(file)
  }

  /// Gives a model the features that a sibling's defense learned without labels.
  /// - Parameter stage: in which they were learned.
  /// - Returns: nil if there is no such sibling; the model is then as it was.
  func takeFeatures(_ stage: String, into model: Classifier) throws -> RunRecord.Artifact? {
    let file = ExperimentRunner.featuresName
    let found = try first(with: file, { try $0.featuresID() }) {
      try Self.model(at: $0, model.spec).stateDict()
    }
    guard let (features, sibling, artifact) = found else { return nil }
    progress.message("\(stage): the same features were learned for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0 == stage }
    try model.load(features, source: "\(sibling.path)/\(file)")
    try model.save(directory.file(file))
    return try artifact.rewritten(directory.file(file))
  }

  private static func model(at path: String, _ wanted: ModelSpec?) throws -> Classifier {
    let model = try Classifier.open(path)
    guard model.spec == wanted else { throw JobError.invalid("it holds another architecture or other classes") }
    return model
  }

  private func copyMetrics(of sibling: RunDirectory, _ isWanted: (_ stage: String) -> Bool) throws {
    let entries = try sibling.metrics.read().filter { isWanted($0.stage) }
    for stage in Set(entries.map(\.stage)) { try directory.metrics.drop(after: 0, of: stage) }
    for entry in entries { try directory.metrics.append(entry) }
  }

  /// What the first sibling's file holds. A file that is not what its run made, or would be other bits here, is passed
  /// over, and that is said.
  /// - Parameter identity: what the file follows from; a sibling has that of this run.
  private func first<T>(
    with file: String, _ identity: (ExperimentConfiguration) throws -> String?, _ read: (_ path: String) throws -> T
  ) throws -> (value: T, sibling: RunDirectory, artifact: RunRecord.Artifact)? {
    let folder = Path.parent(directory.path)
    let own = (directory.path as NSString).lastPathComponent
    let wanted = try identity(configuration)
    for name in (try? FileSystem.list(folder)) ?? [] where name != own {
      let path = folder == "." ? name : Path.join(folder, name)
      guard FileSystem.exists("\(path)/\(file)"), let sibling = try? RunDirectory.open(path),
        let record = try? sibling.readRecord(), let theirs = try? ExperimentConfiguration(record.configuration),
        let other = try? identity(theirs), other == wanted
      else { continue }
      do {
        let artifact = try checked("\(path)/\(file)", record.artifacts[file])
        return (try read("\(path)/\(file)"), sibling, artifact)
      } catch {
        progress.message("\(path)/\(file) is not taken: \(error)")
      }
    }
    return nil
  }

  private func checked(_ path: String, _ artifact: RunRecord.Artifact?) throws -> RunRecord.Artifact {
    guard let artifact else { throw JobError.invalid("the record of its run does not know it") }
    if let difference = artifact.difference(from: environment) { throw JobError.invalid(difference) }
    guard try Digest.sha256Hex(file: path) == artifact.sha256 else {
      throw JobError.invalid("it is not the file that its run made")
    }
    return artifact
  }
}

extension RunRecord.Artifact {
  /// Made in the same way, as another file holds it.
  fileprivate func rewritten(_ path: String) throws -> Self {
    var copy = self
    copy.sha256 = try Digest.sha256Hex(file: path)
    return copy
  }
}
