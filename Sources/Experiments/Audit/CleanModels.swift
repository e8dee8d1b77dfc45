import Audit
import Files
import Support

/// The clean models that `--reference` names, without the audited one where it is among them.
enum CleanModels {
  case none
  /// A bank's file, or finished audits.
  case bank(ReferenceBank)
  /// Model files of a folder, with the SHA-256 of each, which are still to be measured.
  case files(folder: String, [(name: String, digest: String)])

  /// - Parameter model: digest of the audited model's file.
  /// - Throws: `JobError` where nothing or too little is there, `AuditError`, `FileError`.
  init(_ reference: String?, besides model: String, progress: any ProgressReporter) throws {
    guard let reference else {
      self = .none
      return
    }
    if let bank = try FinishedAudits.bank(reference) {
      let isMember = bank.members.contains { $0.digest == model }
      if isMember { progress.message("the model is one of the clean ones itself; it is compared with the others") }
      self = .bank(isMember ? try bank.without(model) : bank)
      return
    }
    let files = try ModelFile.names(in: reference).map {
      (name: $0, digest: try Digest.sha256Hex(file: Path.join(reference, $0)))
    }
    let others = files.filter { $0.digest != model }
    if let own = files.first(where: { $0.digest == model }) {
      progress.message("\(own.name) is the audited model itself; it is compared with the others")
    }
    guard others.count >= BankScore.least else {
      throw JobError.invalid(
        "\(reference): \(others.count) model file\(others.count == 1 ? "" : "s") besides the audited one; a comparison "
          + "needs at least \(BankScore.least) clean models, better 20 or more.")
    }
    self = .files(folder: reference, others)
  }

  /// The bank that is there before anything is measured.
  var bank: ReferenceBank? {
    if case .bank(let bank) = self { bank } else { nil }
  }

  /// What an audit with these models is told from another one by.
  var identity: JSONValue {
    get throws {
      switch self {
      case .none: "none"
      case .bank(let bank): .string(Digest.sha256Hex(try JSONValue(encoding: bank).canonicalJSON))
      case .files(_, let files): .string(Digest.sha256Hex(files.map { "\($0.name) \($0.digest)\n" }.joined()))
      }
    }
  }
}
