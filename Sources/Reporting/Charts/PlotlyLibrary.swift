import Experiments
import Files
import Foundation

/// The script that makes curves interactive, or the reason why there is none.
enum PlotlyLibrary: Equatable {
  case installed
  case notGiven
  case missing(path: String)

  static let fileName = "plotly.min.js"
  /// Bytes; the script has 5 MB.
  private static let largestFile = 64 << 20

  /// Copies the script beside the report.
  ///
  /// A script that already lies in the folder is used only if it is the one that the caller gave: a run's folder may
  /// come from somebody else, and the page would execute it.
  ///
  /// - Throws: `FileError` if the copy cannot be written.
  static func install(from path: String?, into directory: RunDirectory) throws(FileError) -> PlotlyLibrary {
    guard let path else { return .notGiven }
    guard let script = try? FileSystem.read(path, limit: largestFile), !script.isEmpty else {
      return .missing(path: path)
    }
    let copy = directory.file(fileName)
    if (try? FileSystem.read(copy, limit: largestFile)) != script {
      try AtomicFile.write(script, to: copy, followingLink: false)
    }
    return .installed
  }

  /// What the page says when its curves are static.
  var note: String? {
    let fix = "For interactive curves, install it (pip install plotly) and write the report again."
    switch self {
    case .installed: return nil
    case .notGiven: return "The curves are static drawings: plotly.min.js was not at hand. \(fix)"
    case .missing(let path): return "The curves are static drawings: there is no plotly.min.js at \(path). \(fix)"
    }
  }
}
