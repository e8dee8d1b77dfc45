import Files
import Foundation
import Support
import Torch
import Vision

/// The runs beside one whose backdoored models are made in the same way. The runs of a grid train that model once, and
/// learn their attack once: the first run keeps them, the others take them from there.
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
    let found = try first(with: file) { path in
      let model = try Classifier.open(path)
      guard model.spec == wanted else { throw JobError.invalid("it holds another architecture or other classes") }
      return model
    }
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
    guard let (learned, sibling, artifact) = try first(with: LearnedAttack.fileName, LearnedAttack.read) else {
      return nil
    }
    progress.message("attack: the same was learned for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0.hasPrefix("attack-") }
    try LearnedAttack.write(learned, to: file)
    return try artifact.rewritten(file)
  }

  private func copyMetrics(of sibling: RunDirectory, _ isWanted: (_ stage: String) -> Bool) throws {
    let entries = try sibling.metrics.read().filter { isWanted($0.stage) }
    for stage in Set(entries.map(\.stage)) { try directory.metrics.drop(after: 0, of: stage) }
    for entry in entries { try directory.metrics.append(entry) }
  }

  /// What the first sibling's file holds. A file that is not what its run made, or would be other bits here, is passed
  /// over, and that is said.
  private func first<T>(
    with file: String, _ read: (_ path: String) throws -> T
  ) throws -> (value: T, sibling: RunDirectory, artifact: RunRecord.Artifact)? {
    let folder = Path.parent(directory.path)
    let own = (directory.path as NSString).lastPathComponent
    let wanted = try configuration.backdooredModelID()
    for name in (try? FileSystem.list(folder)) ?? [] where name != own {
      let path = folder == "." ? name : Path.join(folder, name)
      guard FileSystem.exists("\(path)/\(file)"), let sibling = try? RunDirectory.open(path),
        let record = try? sibling.readRecord(), let theirs = try? ExperimentConfiguration(record.configuration),
        (try? theirs.backdooredModelID()) == wanted
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
