import Experiments
import Foundation

/// The script that makes curves interactive, or the reason why there is none.
enum PlotlyLibrary: Equatable {
  case installed
  case notGiven
  case missing(path: String)

  static let fileName = "plotly.min.js"

  /// Copies the script beside the report.
  ///
  /// A script that already lies in the folder is used only if it is the one that the caller gave: a run's folder may come from
  /// somebody else, and the page would execute it.
  ///
  /// - Throws: `RunStoreError` if the copy cannot be written.
  static func install(from path: String?, into directory: RunDirectory) throws(RunStoreError) -> PlotlyLibrary {
    guard let path else { return .notGiven }
    guard let script = FileManager.default.contents(atPath: path), !script.isEmpty else { return .missing(path: path) }
    let copy = directory.file(fileName)
    if FileManager.default.contents(atPath: copy) != script { try RunFiles.replace(copy, with: script, followingLink: false) }
    return .installed
  }

  /// What the page says when its curves are static.
  var note: String? {
    let mend = "For interactive curves, install it (pip install plotly) and write the report again."
    switch self {
    case .installed: return nil
    case .notGiven: return "The curves are static drawings: plotly.min.js was not at hand. \(mend)"
    case .missing(let path): return "The curves are static drawings: there is no plotly.min.js at \(path). \(mend)"
    }
  }
}
