/// Finds the names that a misspelt one was probably meant to be.
public enum Nearest {
  /// The candidates closest to `name`, best first.
  ///
  /// Closeness is the Damerau-Levenshtein distance (insertions, deletions, substitutions, neighbours swapped) without
  /// regard to case, `_`, `-` and spaces, so that `weight_decay` finds `weightDecay`. A third of the letters may
  /// differ, at least one; names of which the other is the beginning count too, from three letters on.
  /// - Parameters:
  ///   - limit: The most names to return.
  ///   - allowsShorter: Whether a candidate counts that is only the beginning of the name.
  public static func names(
    _ name: String, among candidates: some Sequence<String>, limit: Int = 3, allowsShorter: Bool = true
  ) -> [String] {
    let wanted = folded(name)
    // The distance takes time by the product of both lengths, and nobody misspells that much.
    guard (1...longest).contains(wanted.count) else { return [] }
    let cutoff = max(1, wanted.count / 3)
    var found: [(distance: Int, name: String)] = []
    for candidate in Set(candidates) {
      let other = folded(candidate)
      let distance = distance(wanted, other)
      if distance <= cutoff, distance < max(wanted.count, other.count) {
        found.append((distance, candidate))
      } else if min(wanted.count, other.count) >= 3,
        other.starts(with: wanted) || (allowsShorter && wanted.starts(with: other))
      {
        found.append((cutoff + 1, candidate))
      }
    }
    return found.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(limit).map(\.name)
  }

  /// `Did you mean attack.rate?`, or with several `Did you mean rate, or gate?`; empty where nothing is near.
  public static func question(_ name: String, among candidates: some Sequence<String>, prefix: String = "") -> String {
    let near = names(name, among: candidates).map { prefix + $0 }
    guard let last = near.last else { return "" }
    return near.count == 1
      ? "Did you mean \(last)?" : "Did you mean \(near.dropLast().joined(separator: ", ")) or \(last)?"
  }

  private static let longest = 200

  private static func folded(_ name: String) -> [Character] {
    name.lowercased().filter { !"_- ".contains($0) }.map { $0 }
  }

  /// The Damerau-Levenshtein distance in its restricted form: no part is edited twice.
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
        row.append(best)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }
}
