/// Finds the folder that a reader needs, and what a user may have meant when it is not there.
enum PathSuggestion {
  /// The first of `path/candidate` that holds every name of `markers` (a name may list spellings, split by `|`).
  ///
  /// Throws `DataError.missing` that lists the markers and suggests a neighbouring folder that holds them, or a file
  /// of nearly the same name.
  static func locate(_ path: String, candidates: [String], markers: [String]) throws -> String {
    guard FileAccess.isFolder(path) else {
      throw DataError.missing(path: path, lookedFor: [], suggestion: similar(to: path))
    }
    for candidate in candidates {
      let folder = FileAccess.join(path, candidate)
      if holds(folder, markers) { return folder }
    }
    let neighbours = [path, FileAccess.parent(path)].flatMap { base in
      ((try? FileAccess.subfolders(base)) ?? []).prefix(64).map { FileAccess.join(base, $0) }
    }
    // A partly copied data set is more common than a wrong path: name what lacks, in the folder that has most of it.
    let folders = candidates.map { FileAccess.join(path, $0) }
    let best = folders.max { lacking($0, markers).count > lacking($1, markers).count } ?? path
    let where_ = lacking(best, markers).count < markers.count ? best : path
    let missing = lacking(where_, markers)
    let suggestion =
      neighbours.first { folder in candidates.contains { holds(FileAccess.join(folder, $0), markers) } }
      ?? missing.first.flatMap { similar(to: FileAccess.join(where_, String($0.prefix { $0 != "|" }))) }
    let sought = missing.map { $0.split(separator: "|").joined(separator: " or ") }
    throw DataError.missing(path: where_, lookedFor: sought, suggestion: suggestion)
  }

  /// A neighbour of a missing path with nearly the same name.
  static func similar(to path: String) -> String? {
    var wanted = path
    // Climb to the part that is wrong: its parent is there, itself it is not.
    while FileAccess.kind(FileAccess.parent(wanted)) == .none {
      let above = FileAccess.parent(wanted)
      if above == wanted { return nil }
      wanted = above
    }
    let parent = FileAccess.parent(wanted), name = FileAccess.name(wanted).lowercased()
    let names = (try? FileAccess.list(parent)) ?? []
    let ranked = names.prefix(2_000).map { (name: $0, distance: distance(Array(name.utf8), Array($0.lowercased().utf8))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= max(2, name.utf8.count / 3) else {
      return nil
    }
    let found = parent == "." && !path.hasPrefix("./") ? best.name : FileAccess.join(parent, best.name)
    return found == path ? nil : found
  }

  private static func holds(_ folder: String, _ markers: [String]) -> Bool { lacking(folder, markers).isEmpty }

  private static func lacking(_ folder: String, _ markers: [String]) -> [String] {
    markers.filter { marker in
      !marker.split(separator: "|").contains { FileAccess.kind(FileAccess.join(folder, String($0))) != .none }
    }
  }

  /// Levenshtein's distance in bytes.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }
}
