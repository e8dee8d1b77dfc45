public import Support
import Torch

extension ImageDataset {
  /// Positions of a random share of the images, ascending.
  /// - Parameters:
  ///   - balanced: as many of each class (as near as the share allows).
  ///   - seed: names the draw; the same seed gives the same positions.
  public func sample(_ share: Double, balanced: Bool = false, seed: Seed, stream: String) -> [Int] {
    sample(count: Int((share * Double(count)).rounded()), balanced: balanced, seed: seed, stream: stream)
  }

  /// As above, by number of images.
  public func sample(count wanted: Int, balanced: Bool = false, seed: Seed, stream: String) -> [Int] {
    var random = seed.generator(stream)
    let wanted = max(0, min(wanted, count))
    guard balanced else { return random.sample(wanted, of: count, sorted: true) }
    var groups = [[Int]](repeating: [], count: max(classes, 1))
    for (position, label) in labelArray().enumerated() where label >= 0 { groups[label].append(position) }
    for index in groups.indices { random.shuffle(&groups[index]) }
    // Round robin over the classes, so that small classes give what they have and the others fill up.
    var chosen: [Int] = []
    var round = 0
    while chosen.count < wanted, groups.contains(where: { $0.count > round }) {
      for group in groups where group.count > round && chosen.count < wanted { chosen.append(group[round]) }
      round += 1
    }
    return chosen.sorted()
  }

  /// Positions of a random part in which each class has its share, ascending.
  public func stratifiedSample(count wanted: Int, seed: Seed, stream: String) -> [Int] {
    guard wanted < count else { return Array(0..<count) }
    var random = seed.generator(stream)
    var groups = [[Int]](repeating: [], count: classes)
    for (position, label) in labelArray().enumerated() where label >= 0 { groups[label].append(position) }
    // The images of a class are spread evenly over [0, 1); what lies first is taken.
    var places: [(place: Double, position: Int)] = []
    for index in groups.indices {
      random.shuffle(&groups[index])
      for (rank, position) in groups[index].enumerated() {
        places.append(((Double(rank) + 0.5) / Double(groups[index].count), position))
      }
    }
    return places.sorted { ($0.place, $0.position) < ($1.place, $1.position) }.prefix(max(0, wanted)).map(\.position)
      .sorted()
  }

  /// All positions but these.
  public func complement(of positions: [Int]) -> [Int] {
    let out = Set(positions)
    return (0..<count).filter { !out.contains($0) }
  }
}
