import Files
import Support

/// Collects what is wrong with a grid's file, each problem once though it may show in many cells.
struct GridProblems {
  private var issues: [SettingsError.Issue] = []
  private var known: Set<SettingsError.Issue> = []

  var isEmpty: Bool { issues.isEmpty }

  mutating func note(_ place: String, _ message: String, line: Int? = nil) {
    let issue = SettingsError.Issue(path: place, message: message, line: line)
    if known.insert(issue).inserted { issues.append(issue) }
  }

  func check() throws(SettingsError) {
    if !issues.isEmpty { throw SettingsError(issues) }
  }
}
