import Files

/// What is wrong with a grid's folder. Each description names the thing and the fix.
public enum GridError: Error, Equatable, CustomStringConvertible {
  /// The folder holds neither a plan nor runs.
  case notAGrid(folder: String)
  /// The plan was written in a format that this program does not read.
  case unknownFormat(path: String, found: Int)
  /// A file is not what it should be.
  case damaged(path: String, reason: String)
  /// The plan has no cell of this id.
  case unknownCell(String, folder: String)
  /// The folder belongs to a grid that has no cell in common with the new one.
  case otherGrid(folder: String, title: String)
  /// The folder has a file of the grid's name that is not the grid's.
  case foreignFile(path: String)
  /// The grid was begun with another number of threads, or its file says another one.
  case otherThreads(asked: Int, found: Int, folder: String)

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
      "\(path) is damaged: \(escaped(reason, limit: 2000)) Remove it, and give `antidote grid run` the grid's file again; "
        + "finished runs stay."
    case .unknownCell(let id, let folder):
      "\(folder) has no cell \(id): `antidote grid plan` lists those that it has."
    case .otherGrid(let folder, let title):
      "\(folder) holds another grid (\(escaped(title, limit: 120))): they have no cell in common. Give another folder with "
        + "--out, or remove that one."
    case .foreignFile(let path):
      "\(path) is there already, and no grid (there is no \(Grid.planName) beside it): it would be overwritten. Give another "
        + "folder with --out, or move that file."
    case .otherThreads(let asked, let found, let folder):
      "the cells of \(folder) run with \(found) thread\(found == 1 ? "" : "s") each, as its file says or as it was begun, not "
        + "with \(asked): other threads give other bits. Leave --threads out, or give another folder with --out."
    }
  }
}
