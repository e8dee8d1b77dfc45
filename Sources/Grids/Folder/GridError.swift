import Files

/// What is wrong with a grid's folder. Each description names the thing and the fix.
public enum GridError: Error, Equatable, CustomStringConvertible {
  /// The folder holds neither a plan nor runs.
  case notAGrid(folder: String)
  /// The plan was written in a format that this program does not read.
  case unknownFormat(path: String, found: Int)
  /// A file is not what it should be.
  case damaged(path: String, reason: String)

  public var description: String { escapedLines(text) }

  private var text: String {
    switch self {
    case .notAGrid(let folder):
      "\(folder) holds no grid: there is neither \(Grid.planName) nor a folder \(Grid.runsName) in it. Give the folder "
        + "that `antidote grid run` wrote."
    case .unknownFormat(let path, let found):
      "\(path) has format \(found); this version of antidote reads format \(GridPlan.supportedFormat). Open it with the "
        + "version that wrote it."
    case .damaged(let path, let reason):
      "\(path) is damaged: \(escaped(reason, limit: 2000)). Give `antidote grid run` the grid's file again, which "
        + "writes it anew; finished runs stay."
    }
  }
}
