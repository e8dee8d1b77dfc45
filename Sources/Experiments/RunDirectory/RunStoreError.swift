import Files

/// What can go wrong with a run's directory and its files. Each description names the thing and the fix.
public enum RunStoreError: Error, Equatable, CustomStringConvertible {
  /// The record was written in a format that this program does not read.
  case unknownFormat(path: String, found: Int)
  /// A file is not what it should be.
  case damaged(path: String, reason: String)
  /// A line of `metrics.jsonl`, counted from 1, is not a metrics entry.
  case damagedLine(path: String, line: Int, reason: String)
  /// A file of the run is not the one that the run made.
  case replaced(path: String)
  /// There is no record in the directory.
  case notARun(directory: String)
  /// The run's folder is a symbolic link, so that it stands elsewhere.
  case link(String)
  /// The directory holds another run.
  case belongsToAnotherRun(directory: String, found: String, expected: String)
  /// The directory holds files, but no run.
  case holdsOtherFiles(directory: String, example: String)
  /// Another process works in the directory.
  case locked(directory: String, process: Int?)
  /// The directory was opened for reading, or was released.
  case notClaimed(directory: String)

  public var description: String { escapedLines(text) }

  private var text: String {
    switch self {
    case .unknownFormat(let path, let found):
      return """
        \(path) has record format \(found); this version of antidote reads format \(RunRecord.supportedFormat). \
        Open it with the version that wrote it\(found > RunRecord.supportedFormat ? ", or update antidote" : "").
        """
    case .damaged(let path, let reason):
      return
        "\(path) is damaged: \(escaped(reason, limit: 2000)). Restore it from a copy, or remove the run's folder and "
        + "run again."
    case .damagedLine(let path, let line, let reason):
      return
        "\(path), line \(line) is damaged: \(escaped(reason, limit: 2000)). Remove that line, or remove the "
        + "run's folder and run again."
    case .replaced(let path):
      return "\(path) is not the file that this run made: its SHA-256 is not the one in \(RunDirectory.recordName). "
        + "Put the file back, or remove it to make it again."
    case .notARun(let directory):
      return
        "\(directory) holds no run: there is no \(RunDirectory.recordName) of Antidote's in it. Give the folder that "
        + "`antidote run` wrote."
    case .link(let path):
      return "\(path) is a symbolic link. Give the folder that it leads to, or remove the link by hand."
    case .belongsToAnotherRun(let directory, let found, let expected):
      return """
        \(directory) belongs to run \(found), not to run \(expected): their settings differ. \
        Choose another folder, restore the settings to resume that run, or remove the folder to start again.
        """
    case .holdsOtherFiles(let directory, let example):
      return "\(directory) is not empty and holds no run (it contains \"\(example)\"). Choose a new or an empty folder."
    case .locked(let directory, let process):
      let who = process.map { "process \($0)" } ?? "another process"
      return "\(directory) is in use by \(who). Wait until it ends, or end it; the run can then be resumed."
    case .notClaimed(let directory):
      return "\(directory) is open for reading only. Create the run directory with the run's id to write to it."
    }
  }
}
