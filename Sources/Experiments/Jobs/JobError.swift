/// What keeps a job from its files. Each description names the thing and the fix.
public enum JobError: Error, Equatable, CustomStringConvertible {
  /// The result would replace something.
  case outputExists(path: String)
  /// The checkpoints are those of a job with other settings; `differences` has one line for each.
  case otherJob(folder: String, differences: [String])
  case invalid(String)

  public var description: String {
    switch self {
    case .outputExists(let path): "\(path) exists already. Choose another path with --out, or remove it."
    case .otherJob(let folder, let differences):
      "\(folder) keeps the checkpoints of another job:\n" + differences.map { "  \($0)" }.joined(separator: "\n")
        + "\nGive that job's settings to go on with it, choose another folder (--out, or --work where the command has "
        + "it), or remove \(folder) to start over."
    case .invalid(let text): text
    }
  }
}
