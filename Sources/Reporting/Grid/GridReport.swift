import Experiments
import Files
import Foundation
public import Grids
import Support

extension Report {
  /// What a report about a grid wrote.
  public struct GridFiles: Sendable {
    public var page: String
    public var markdown: String
    /// The charts as pictures, with their numbers beside them.
    public var figures: [String] = []
  }

  /// Writes `report.html` and `report.md` into a folder of runs, and its charts into `figures`.
  ///
  /// - Parameters:
  ///   - folder: A grid, or any folder of runs.
  ///   - runs: The runs to report, as the index of that folder has them.
  ///   - charts: Charts beside those that every report has.
  ///   - showsMaps: Whether the maps of training samples are drawn that runs have.
  ///   - command: The command line that writes this report again.
  /// - Throws: `SettingsError` for a name that no run has, `FileError`, `RunStoreError`.
  public static func writeGrid(
    folder: String, runs: [RunSummary], layout: ResultGrid.Layout, charts: [GridChartRequest],
    showsMaps: Bool = false, command: String? = nil
  ) throws -> GridFiles {
    let folder = Path.withoutFinalSlash(folder)
    // A run's own folder has a report of that name.
    guard !FileSystem.exists(Path.join(folder, RunDirectory.recordName)) else {
      throw SettingsError("", "\(folder) is one run. antidote report writes its report; a grid is a folder of runs.")
    }
    let grid = try ResultGrid(runs, layout: layout)
    guard !grid.finished.isEmpty else {
      throw SettingsError("", "\(folder): \(runs.isEmpty ? "there are no runs in it" : "no run has finished yet").")
    }
    let asked = try charts.flatMap { try GridCharts.charts(grid, $0, root: folder) }
    let page = GridPage(
      grid, title: try title(of: folder), charts: asked, maps: showsMaps ? try GridMaps.maps(grid, root: folder) : [],
      root: folder, command: command)
    var files = GridFiles(page: Path.join(folder, "report.html"), markdown: Path.join(folder, "report.md"))
    for figure in page.figures {
      let path = Path.join(folder, "figures", figure.name)
      try FileSystem.createFolder(Path.parent(path))
      try AtomicFile.write(figure.svg, to: path + ".svg", followingLink: false)
      try AtomicFile.write(CSVTable.text(figure.rows), to: path + ".csv", followingLink: false)
      files.figures += [path + ".svg", path + ".csv"]
    }
    try AtomicFile.write(page.html, to: files.page, followingLink: false)
    try AtomicFile.write(
      GridMarkdown.text(grid, title: page.title, command: command), to: files.markdown, followingLink: false)
    return files
  }

  /// What a plan calls the grid, or the folder's name.
  private static func title(of folder: String) throws -> String {
    if let plan = try Grid.storedPlan(in: folder), !plan.title.isEmpty { return plan.title }
    return URL(fileURLWithPath: folder).lastPathComponent
  }

  /// The tables of a grid in Markdown, and what speaks against their numbers.
  public static func gridMarkdown(_ grid: ResultGrid, title: String) -> String {
    GridMarkdown.text(grid, title: title, command: nil)
  }
}

/// The tables of a grid as a document in Markdown.
enum GridMarkdown {
  static func text(_ grid: ResultGrid, title: String, command: String?) -> String {
    var text = "# \(MarkdownText.escaped(title))\n\n\(GridWords.summary(grid)) \(GridWords.legend(grid))\n"
    for table in grid.tables {
      if !table.label.keys.isEmpty { text += "\n## \(MarkdownText.escaped(table.label.text))\n" }
      for metric in grid.metrics where table.has(metric) {
        text += "\n### \(metric.title)\n\n\(GridTableText(table, metric).markdown)"
      }
    }
    let notes = GridWords.flags(grid)
    if !notes.isEmpty {
      text += "\n## Before you use these numbers\n\n"
      for note in notes {
        text += "- \(note.title) (`\(note.id)`): \(MarkdownText.escaped(note.places.joined(separator: "; ")))\n"
      }
    }
    if !grid.unfinished.isEmpty {
      text += "\n## Runs that do not count\n\n"
      for run in grid.unfinished {
        let reason = run.failure.map { ": \($0)" } ?? ""
        text += "- \(MarkdownText.escaped(run.folder)): \(run.status.rawValue)\(MarkdownText.escaped(reason))\n"
      }
    }
    if let command { text += "\nWritten by `\(command)`.\n" }
    return text
  }
}

/// What pages and documents about a grid say in the same words.
enum GridWords {
  /// "42 runs, 2 not finished; 6 attacks, 7 defenses, seeds 0, 1."
  static func summary(_ grid: ResultGrid) -> String {
    let runs = grid.finished
    func count(_ name: String, _ key: String) -> String {
      let found = Set(runs.map { $0.text(of: key) ?? "none" }.filter { $0 != "none" }).count
      return "\(found) \(name)\(found == 1 ? "" : "s")"
    }
    let seeds = Set(runs.compactMap(\.seed)).sorted()
    let open = grid.unfinished.isEmpty ? "" : ", \(formatCount(grid.unfinished.count)) more not finished"
    return
      "\(formatCount(runs.count)) finished run\(runs.count == 1 ? "" : "s")\(open): \(count("attack", "attack.name")), "
      + "\(count("defense", "defense.name")), seed\(seeds.count == 1 ? "" : "s") "
      + seeds.prefix(12).map(String.init).joined(separator: ", ") + (seeds.count > 12 ? ", …" : "") + "."
  }

  static func legend(_ grid: ResultGrid) -> String {
    let cells = grid.tables.flatMap { $0.cells.joined().compactMap { $0 } }
    let counts = Set(cells.map(\.seedCount)).sorted()
    let seeds =
      switch counts.count {
      case 0: ""
      case 1 where counts[0] == 1: "Each number is of one \(cells.allSatisfy { $0.runs.count == 1 } ? "run" : "seed"). "
      case 1: "Numbers are means and standard deviations (n − 1) over \(counts[0]) seeds. "
      default:
        "Numbers are means and standard deviations (n − 1) over \(counts[0]) to \(counts[counts.count - 1]) seeds. "
      }
    return seeds + "Shares are in percent."
  }

  struct Note {
    var id: String
    var title: String
    var explanation: String
    /// The cells that it is about.
    var places: [String]
  }

  /// The flags of all cells, each once.
  static func flags(_ grid: ResultGrid) -> [Note] {
    var places: [String: [String]] = [:]
    var total = 0
    for table in grid.tables {
      for (row, rowLabel) in table.rows.enumerated() {
        for (column, columnLabel) in table.columns.enumerated() {
          guard let cell = table.cells[row][column] else { continue }
          total += 1
          let place = [table.label.text, rowLabel.text, columnLabel.text].filter { !$0.isEmpty }.joined(separator: ", ")
          for flag in cell.flags where !(places[flag.id]?.contains(place) ?? false) {
            places[flag.id, default: []].append(place)
          }
        }
      }
    }
    let known = RunFlag.allCases.map(\.rawValue)
    let ids = known.filter { places[$0] != nil } + places.keys.filter { !known.contains($0) }.sorted()
    return ids.map { id in
      let flag = RunFlag(rawValue: id)
      let found = places[id] ?? []
      return Note(
        id: id, title: flag?.title ?? id,
        explanation: flag?.explanation ?? "A newer version of Antidote raised this flag and can explain it.",
        places: found.count == total && total > 1 ? ["all \(total) cells"] : found)
    }
  }
}
