import Support

/// Collects what is wrong in the sections of a configuration, so that all of it is reported together.
struct SettingsProblems {
  private var issues: [SettingsError.Issue] = []

  /// The value that `body` makes; the fallback where a setting of the section is wrong.
  mutating func collect<T>(_ section: String, fallback: T, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as SettingsError {
      // An unknown name of an attack, a defense or a recipe does not know which setting it came from.
      issues += error.issues.map { $0.path.isEmpty ? .init(path: "\(section).name", message: $0.message) : $0 }
      return fallback
    }
  }

  mutating func note(_ path: String, _ message: String) { issues.append(.init(path: path, message: message)) }

  func check() throws(SettingsError) {
    if !issues.isEmpty { throw SettingsError(issues) }
  }
}
