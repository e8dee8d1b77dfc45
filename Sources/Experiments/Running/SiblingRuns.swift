import Files
import Foundation
import Support
import Torch
import Vision

/// The runs beside one whose victims are made in the same way. The runs of a grid train their victim once, and learn their attack once: the
/// first run keeps them, the others take them from there.
struct SiblingRuns {
  let directory: RunDirectory
  let configuration: ExperimentConfiguration
  let progress: any ProgressReporter

  /// The victim of a sibling, which is then this run's too; nil if there is none.
  func takeVictim() throws -> Classifier? {
    guard let (model, sibling) = try first(with: ExperimentRunner.victimName, { try Classifier.open($0) }) else { return nil }
    progress.message("train: the same victim was trained for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0 == Cell.stage }
    try model.save(directory.file(ExperimentRunner.victimName))
    return model
  }

  /// Takes over what the attack of a sibling learned, unless this run has learned it.
  func takeAttack() throws {
    let file = directory.file(LearnedAttack.fileName)
    guard !FileSystem.exists(file), let (learned, sibling) = try first(with: LearnedAttack.fileName, LearnedAttack.read) else { return }
    progress.message("attack: the same was learned for \(sibling.path); taken from there")
    try copyMetrics(of: sibling) { $0.hasPrefix("attack-") }
    try LearnedAttack.write(learned, to: file)
  }

  private func copyMetrics(of sibling: RunDirectory, _ isWanted: (_ stage: String) -> Bool) throws {
    let entries = try sibling.metrics.read().filter { isWanted($0.stage) }
    for stage in Set(entries.map(\.stage)) { try directory.metrics.drop(after: 0, of: stage) }
    for entry in entries { try directory.metrics.append(entry) }
  }

  /// What the first sibling's file holds; runs in which it is missing or cannot be read are passed over.
  private func first<T>(with file: String, _ read: (_ path: String) throws -> T) throws -> (value: T, sibling: RunDirectory)? {
    let folder = (directory.path as NSString).deletingLastPathComponent
    let own = (directory.path as NSString).lastPathComponent
    let wanted = try configuration.victimID()
    let siblings = (try? FileSystem.list(folder.isEmpty ? "." : folder)) ?? []
    for name in siblings.sorted() where name != own {
      let path = folder.isEmpty ? name : "\(folder)/\(name)"
      guard FileSystem.exists("\(path)/\(file)"), let sibling = try? RunDirectory.open(path),
        let record = try? sibling.readRecord(), let theirs = try? ExperimentConfiguration(record.configuration),
        (try? theirs.victimID()) == wanted, let value = try? read("\(path)/\(file)")
      else { continue }
      return (value, sibling)
    }
    return nil
  }
}
