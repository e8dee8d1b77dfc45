import Files

/// What keeps a job from its files. Each description names the thing and the fix.
public enum JobError: Error, Equatable, CustomStringConvertible {
  /// The result would replace something.
  case outputExists(path: String)
  /// Something else has the result's name by now; the work is kept in `folder`.
  case outputAppeared(path: String, folder: String)
  /// The checkpoints are those of a job with other settings; `differences` has one line for each.
  case otherJob(folder: String, differences: [String])
  case invalid(String)

  public var description: String {
    switch self {
    case .outputExists(let path): "\(path) exists already. Choose another path with --out, or remove it."
    case .outputAppeared(let path, let folder):
      "\(path) appeared while the job was under way, and is not replaced. Move it, and give the command again: it goes on "
        + "with what \(folder) keeps."
    case .otherJob(let folder, let differences):
      "\(folder) keeps the checkpoints of another job:\n" + differences.map { "  \($0)" }.joined(separator: "\n")
        + "\nGive that job's settings to go on with it, choose another folder (--out, or --work where the command has "
        + "it), or remove \(folder) to start over."
    case .invalid(let text): text
    }
  }
}

extension JobError {
  /// A model whose answers are none.
  static func notFinite(_ path: String, images: Int) -> JobError {
    .invalid(
      "\(path): the model's outputs are NaN or infinite for \(formatCount(images)) images: its weights are damaged, or made "
        + "for other pixels (model.normalization).")
  }
}
