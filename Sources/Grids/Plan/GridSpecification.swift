import Experiments
public import Files
import Foundation
import Support
import Vision

/// The file of a grid, read: which values each axis has, what all cells have in common, and which cells are left out or
/// added. See docs/grids.md for the file.
///
/// ```yaml
/// base: {model: {name: cnn, width: 8}, recipe: {epochs: 4}}
/// datasets: [generated]
/// attacks: [badnets, {name: blended, alpha: 0.1}]
/// rates: [0.05, 0.1]
/// defenses: [none, ft, {name: sau, epochs: 10}]
/// seeds: [0, 1]
/// exclude:
///   - {attack: blended, rate: 0.05}
/// ```
///
/// Parts whose names begin with `x-` are passed over: a place for YAML anchors.
public struct GridSpecification: Sendable {
  let title: String
  /// What all cells have in common.
  let base: AxisValue
  /// The values of each axis that the file names.
  let axes: [(name: String, values: [AxisValue])]
  /// The label of the one value that an axis has which the file leaves out.
  let implied: [String: String]
  let exclude: [(place: String, labels: [String: Set<String>])]
  /// Smaller grids: some axes with values of their own.
  let include: [[String: [AxisValue]]]
  /// What is wrong so far; expanding the grid finds the rest.
  let problems: GridProblems
  private let document: YAMLDocument

  static let plurals = [
    GridAxis.dataset: "datasets", GridAxis.model: "models", GridAxis.attack: "attacks", GridAxis.rate: "rates",
    GridAxis.defense: "defenses", GridAxis.seed: "seeds",
  ]
  private static let keys = GridAxis.usual.compactMap { plurals[$0] } + ["name", "base", "axes", "include", "exclude"]

  /// Reads the text of a grid's file. Problems other than a text that is no YAML wait for ``plan(checkingData:progress:)``.
  /// - Parameter source: the file's path, for errors and the grid's title.
  /// - Throws: `ParseError` with line and column.
  public init(_ text: String, source: String? = nil) throws(ParseError) {
    let repeats: [YAMLDocument.Repeat]
    (document, repeats) = try YAMLDocument.readingRepeats(text, source: source)
    var reader = GridSpecificationReader()
    for key in repeats {
      reader.problems.note(key.key, "the group has this key already; the first one counts. Remove one.", line: key.line)
    }
    let file = document.value
    for key in (file.objectValue ?? [:]).keys.sorted() where !Self.keys.contains(key) && !key.hasPrefix("x-") {
      let question = Nearest.question(key, among: Self.keys)
      reader.problems.note(
        key,
        "unknown part of a grid. " + (question.isEmpty ? "" : question + " ")
          + "Known: \(Self.keys.joined(separator: ", ")).")
    }
    if file.objectValue == nil { reader.problems.note("", "a grid's file is a group, such as \"attacks: [badnets]\".") }
    title = file["name"]?.stringValue ?? source.map { Self.stem(of: $0) } ?? "grid"
    base = reader.base(file["base"])
    axes = reader.axes(file)
    include = reader.include(file["include"], axes)
    let declared = axes.map(\.name)
    implied = Self.implied(base).filter { axis, _ in !declared.contains(axis) }
    exclude = reader.exclude(
      file["exclude"], axes + include.flatMap { $0.map { ($0.key, $0.value) } }, implied: implied)
    problems = reader.problems
  }

  /// What the axes stand for that the file leaves out: the value of the base, or the default.
  private static func implied(_ base: AxisValue) -> [String: String] {
    let labels = try? GridCell.axes(of: ExperimentConfiguration(base.settings).resolved())
    return (labels ?? [:]).filter { GridAxis.usual.contains($0.key) }
  }

  /// The same problems with the lines of the file.
  func located(_ error: SettingsError) -> SettingsError { error.located(in: document) }

  /// The name of a file without its extension.
  static func stem(of path: String) -> String { (Path.name(path) as NSString).deletingPathExtension }
}
