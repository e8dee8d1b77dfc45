import Audit
import Files

/// Audits that are over, in their folders: those of clean models serve as a bank, and all can be scored against another
/// bank without measuring anything again.
enum FinishedAudits {
  /// The folders of audits: `folder` itself, or those directly in it, by name.
  static func folders(in folder: String) throws -> [String] {
    if isAudit(folder) { return [folder] }
    return try FileSystem.list(folder).map { Path.join(folder, $0) }.filter(isAudit)
  }

  static func areIn(_ folder: String) throws -> Bool { try !folders(in: folder).isEmpty }

  private static func isAudit(_ folder: String) -> Bool { FileSystem.isFile("\(folder)/\(AuditResult.fileName)") }

  /// The clean models that `--reference` names, where they have been measured: the bank's file, or a folder with
  /// finished audits; nil for another folder, whose models are still to be measured.
  /// - Throws: `JobError` where nothing is there, `AuditError`, `FileError`.
  static func bank(_ reference: String) throws -> ReferenceBank? {
    guard FileSystem.exists(reference) else {
      let suggestion = Path.similar(to: reference).map { "Did you mean \($0)?" }
      throw JobError.invalid(
        "\(reference): no such file or folder. "
          + (suggestion
            ?? "--reference takes a bank that antidote audit calibrate wrote, a folder with audits of clean models, or a "
            + "folder of clean models.")
      )
    }
    guard FileSystem.isFolder(reference) else { return try ReferenceBank(contentsOf: reference) }
    let folders = try folders(in: reference)
    return folders.isEmpty ? nil : try bank(of: folders, in: reference)
  }

  /// - Throws: `JobError`, which names the audit that is unlike the first one or has not measured all classes.
  private static func bank(of folders: [String], in reference: String) throws -> ReferenceBank {
    let audits = try folders.map { (folder: $0, result: try AuditResult(folder: $0)) }
    let first = audits[0].result
    for (folder, result) in audits {
      func refuse(_ what: String) -> JobError {
        .invalid("\(folder): \(what). A bank needs clean models that were measured in the same way.")
      }
      guard result.settings == first.settings else {
        throw refuse("the audit has other settings than that of \(audits[0].folder)")
      }
      guard result.classNames == first.classNames, result.imageShape == first.imageShape else {
        throw refuse("the audit has other classes or images of another size than that of \(audits[0].folder)")
      }
      guard result.statistics.labels == nil else { throw refuse("--time left classes out of this audit") }
    }
    guard let shape = first.imageShape else {
      throw JobError.invalid(
        "\(audits[0].folder): an earlier version wrote this audit, and it does not say how large the images are. Audit "
          + "the clean models again, or give the folder with their files.")
    }
    let bank = ReferenceBank(
      settings: first.settings, dataset: first.dataset, classNames: first.classNames, imageShape: shape,
      members: audits.map { folder, result in
        ReferenceBank.Member(
          name: Path.name(folder), architecture: result.architecture, accuracy: result.accuracy?.share,
          digest: result.modelDigest, statistics: result.statistics)
      })
    if let problem = bank.problem { throw JobError.invalid("\(reference): \(problem)") }
    return bank
  }
}
