import Files
import Foundation

/// plotly.js from its pip package, if the set-up found one.
enum Plotly {
  static var path: String? {
    let named = ProcessInfo.processInfo.environment["ANTIDOTE_PLOTLY"] ?? ""
    return FileSystem.exists(named) ? named : nil
  }
}
