import Foundation

/// The user's folder for what can be made anew at any time.
public enum CacheFolder {
  /// `$XDG_CACHE_HOME/antidote`, or `~/.cache/antidote`; nil where neither is known. The folder need not exist.
  public static var path: String? { path(ProcessInfo.processInfo.environment) }

  /// - Parameter environment: the variables of a process. Relative paths in them are ignored, as the XDG specification
  ///   asks.
  static func path(_ environment: [String: String]) -> String? {
    if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/antidote" }
    if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.cache/antidote" }
    return nil
  }
}
