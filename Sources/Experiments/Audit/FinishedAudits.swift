import Audit
import Files
import Vision

/// Audits that are over, in their folders: those of clean models serve as a bank, and all can be scored against another
/// bank without measuring anything again.
enum FinishedAudits {
  /// The folders of audits: `folder` itself, or those directly in it, by name.
  static func folders(in folder: String) throws -> [String] {
    if isAudit(folder) { return [folder] }
    return try FileSystem.list(folder).map { Path.join(folder, $0) }.filter(isAudit)
  }

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
    guard !folders.isEmpty else { return nil }
    if folders != [reference], let model = try ModelFile.names(in: reference).first {
      throw JobError.invalid(
        "\(reference) holds audits and models (\(model)). Clean models are either audits or files: put one of them into "
          + "a folder of its own.")
    }
    return try bank(of: folders, in: reference)
  }

  /// - Throws: `JobError`, which names the audit that is unlike the first one or has not measured all classes.
  private static func bank(of folders: [String], in reference: String) throws -> ReferenceBank {
    let audits = try folders.map { (folder: $0, result: try AuditResult(folder: $0)) }
    let first = audits[0].result
    let members = try audits.map { folder, result in
      func refuse(_ what: String) -> JobError {
        .invalid("\(folder): \(what). A bank needs clean models that were measured in the same way.")
      }
      let like = "than that of \(audits[0].folder)"
      guard result.settings == first.settings else { throw refuse("the audit has other settings \(like)") }
      guard result.imageShape == first.imageShape else { throw refuse("the audit has images of another size \(like)") }
      guard result.searchImages + result.heldOutImages == first.searchImages + first.heldOutImages else {
        throw refuse("the audit measured on another number of images \(like)")
      }
      guard result.statistics.labels == nil else {
        throw refuse(
          result.time?.leftOut.isEmpty == false
            ? "not all classes were measured (--time)"
            : "the model takes all held-out images for one class, so that nothing is known of that class")
      }
      guard (result.statistics.perturbation == nil) == (first.statistics.perturbation == nil) else {
        throw refuse("of this audit and that of \(audits[0].folder), one was made with --quick and one without")
      }
      let order = try ClassNames(result.classNames).positions(
        of: ClassNames(first.classNames), source: folder, otherSource: audits[0].folder)
      guard result.classNames.count == first.classNames.count else {
        throw refuse("the audit has other classes \(like)")
      }
      return ReferenceBank.Member(
        name: Path.name(folder), architecture: result.architecture, accuracy: result.accuracy?.share,
        digest: result.modelDigest, statistics: order.map(result.statistics.reordered) ?? result.statistics)
    }
    guard let shape = first.imageShape else {
      throw JobError.invalid(
        "\(audits[0].folder): an earlier version wrote this audit, and it does not say how large the images are. Audit "
          + "the clean models again, or give the folder with their files.")
    }
    let bank = ReferenceBank(
      settings: first.settings, dataset: first.dataset, classNames: first.classNames, imageShape: shape,
      images: first.searchImages + first.heldOutImages, members: members)
    if let problem = bank.problem { throw JobError.invalid("\(reference): \(problem)") }
    return bank
  }
}
