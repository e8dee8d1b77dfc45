import Files

/// Finds the folder that a reader needs, and what a user may have meant when it is not there.
enum PathSuggestion {
  /// The first of `path/candidate` that holds every name of `markers` (a name may list spellings, split by `|`).
  ///
  /// Throws `DataError.missing` that lists the markers and suggests a neighbouring folder that holds them, or a file
  /// of nearly the same name.
  static func locate(_ path: String, candidates: [String], markers: [String]) throws -> String {
    guard FileSystem.isFolder(path) else {
      throw DataError.missing(path: path, lookedFor: [], suggestion: Path.similar(to: path))
    }
    for candidate in candidates {
      let folder = Path.join(path, candidate)
      if holds(folder, markers) { return folder }
    }
    let neighbours = [path, Path.parent(path)].flatMap { base in
      ((try? FileSystem.subfolders(base)) ?? []).prefix(64).map { Path.join(base, $0) }
    }
    // A partly copied data set is more common than a wrong path: name what lacks, in the folder that has most of it.
    let folders = candidates.map { Path.join(path, $0) }
    let best = folders.max { lacking($0, markers).count > lacking($1, markers).count } ?? path
    let where_ = lacking(best, markers).count < markers.count ? best : path
    let missing = lacking(where_, markers)
    let suggestion =
      neighbours.first { folder in candidates.contains { holds(Path.join(folder, $0), markers) } }
      ?? missing.first.flatMap { Path.similar(to: Path.join(where_, String($0.prefix { $0 != "|" }))) }
    let sought = missing.map { $0.split(separator: "|").joined(separator: " or ") }
    throw DataError.missing(path: where_, lookedFor: sought, suggestion: suggestion)
  }

  private static func holds(_ folder: String, _ markers: [String]) -> Bool { lacking(folder, markers).isEmpty }

  private static func lacking(_ folder: String, _ markers: [String]) -> [String] {
    markers.filter { marker in
      !marker.split(separator: "|").contains { FileSystem.kind(Path.join(folder, String($0))) != nil }
    }
  }
}
