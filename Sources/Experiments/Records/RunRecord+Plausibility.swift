import Files

extension RunRecord {
  /// What no run writes: a count below zero or beyond all bounds, or lists that belong together and have different
  /// lengths. A record may come from anywhere, and its numbers are added up and drawn.
  func checkPlausible(path: String) throws(RunStoreError) {
    guard var tree = try? JSONValue(encoding: self) else { return }
    tree["configuration"] = nil
    if let reason = Self.implausible(tree, at: "") { throw .damaged(path: path, reason: reason) }
    for map in findings?.maps ?? [] {
      guard Set([map.x.count, map.y.count, map.labels.count, map.poisoned.count]).count == 1 else {
        throw .damaged(path: path, reason: "the lists of the map \(map.title) have different lengths")
      }
    }
    for histogram in findings?.histograms ?? [] where histogram.clean.count != histogram.poisoned.count {
      throw .damaged(path: path, reason: "the lists of the histogram \(histogram.title) have different lengths")
    }
  }

  /// The first whole number out of range. -1 is no label.
  private static func implausible(_ value: JSONValue, at place: String) -> String? {
    switch value {
    case .int(let number):
      let isBytes = place.hasSuffix("memory") || place.hasSuffix("peakMemoryBytes")
      return (-1...(isBytes ? 1 << 60 : 1 << 40)).contains(number) ? nil : "\(place) is \(number)"
    case .array(let elements):
      for element in elements { if let found = implausible(element, at: place) { return found } }
    case .object(let members):
      for (key, member) in members.sorted(by: { $0.key < $1.key }) {
        if let found = implausible(member, at: place.isEmpty ? key : "\(place).\(key)") { return found }
      }
    default: break
    }
    return nil
  }
}
