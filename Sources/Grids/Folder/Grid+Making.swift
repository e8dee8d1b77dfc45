import Experiments
import Files
import Foundation
public import Support

extension Grid {
  /// The grid of a file that the user wrote. Its folder gets the file and its plan; a folder that has them stays as it
  /// is, and one of an earlier version of the file gets the new plan and keeps its runs.
  /// - Parameters:
  ///   - file: the path of the YAML file.
  ///   - folder: nil chooses `grids/<the file's name>`.
  ///   - checkingData: whether a new plan is checked against labels and sizes of the images.
  /// - Throws: `ParseError` and `SettingsError` with everything that is wrong with the file; `GridError` where the folder
  ///   holds another grid, or a file that the grid's would replace; `FileError`.
  public static func make(
    from file: String, in folder: String? = nil, checkingData: Bool = true, progress: any ProgressReporter
  ) throws -> Grid {
    let text = try FileSystem.readText(file, limit: FormatLimits.settings.bytes)
    let folder = Path.withoutFinalSlash(folder ?? Path.join("grids", GridSpecification.stem(of: file)))
    return try make(text, source: file, in: folder, checkingData: checkingData, progress: progress)
  }

  /// The same from a text.
  /// - Parameter source: what errors call the text.
  public static func make(
    _ text: String, source: String, in folder: String, checkingData: Bool = true, progress: any ProgressReporter
  ) throws -> Grid {
    let before = try storedPlan(in: folder)
    let specification = try GridSpecification(text, source: source)
    // Its data were looked at when the plan was made, and may not be at hand here.
    if let before, let plan = try? specification.plan(checkingData: false), plan == before {
      return try Grid(folder: folder)
    }
    let plan = try specification.plan(checkingData: checkingData, progress: progress)
    if let before, Set(before.all.map(\.id)).isDisjoint(with: plan.all.map(\.id)) {
      throw GridError.otherGrid(folder: folder, title: before.title)
    }
    let copy = Path.join(folder, specificationName)
    if before == nil, FileSystem.exists(copy), try FileSystem.readText(copy, limit: FormatLimits.settings.bytes) != text
    {
      throw GridError.foreignFile(path: copy)
    }
    try FileSystem.createFolder(folder)
    try AtomicFile.write(text, to: copy)
    try AtomicFile.write(try JSONValue(encoding: plan).prettyJSON + "\n", to: Path.join(folder, planName))
    return try Grid(folder: folder)
  }
}
