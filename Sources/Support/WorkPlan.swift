/// A stage that a command is going to do, or several that are one piece of work.
public struct PlannedWork: Sendable, Hashable {
  /// The stage's name; stages whose names go on after it with a hyphen belong to it, too.
  public var stage: String
  /// Images that pass through a network, each as often as it does.
  public var images: Double
  /// Time for one of them beside that of an image in a step of standard training.
  public var cost: Double

  public init(_ stage: String, images: Double, cost: Double = 1) {
    self.stage = stage
    self.images = images
    self.cost = cost
  }
}

/// How long the rest of a command takes: the images that are left in all its stages, at the speed of those so far.
///
/// A stage that has begun goes on at its own speed, one that has not at that of all others, by its cost. A stage that
/// nobody planned counts from when it begins. What an earlier process did counts as done and tells no speed.
public struct WorkPlan: Sendable {
  private struct Entry {
    var work: PlannedWork
    /// Images so far, and those of them that this process saw, in so many seconds.
    var done = 0.0
    var timed = 0.0
    var seconds = 0.0
    var isOver = false
  }
  private var entries: [Entry] = []
  /// Stages that are under way, the innermost last: their entries, and when they last went on.
  private var running: [(entry: Int, name: String, left: Double, since: Double)] = []
  /// The entry of the stage that began last; -1 before the first.
  private var current = -1

  public init(_ works: [PlannedWork] = []) { entries = works.map { Entry(work: $0) } }

  /// A stage begins; those that were planned before it are over.
  /// - Parameters:
  ///   - images: all of its own.
  ///   - done: those of them that an earlier process did.
  ///   - now: in seconds, as all times here.
  public mutating func begin(_ name: String, images: Double, done: Double, now: Double) {
    let first = max(running.last?.entry ?? current, 0)
    let place = entries.indices.dropFirst(first).first { number in
      let entry = entries[number]
      return !entry.isOver && (name == entry.work.stage || name.hasPrefix(entry.work.stage + "-"))
    }
    if let place {
      for number in entries.indices.prefix(place) where !running.contains(where: { $0.entry == number }) {
        entries[number].isOver = true
      }
      current = place
    } else {
      current += 1
      entries.insert(Entry(work: PlannedWork(name, images: images)), at: current)
      for number in running.indices where running[number].entry >= current { running[number].entry += 1 }
    }
    // How much it is has shown itself.
    let planned = entries[current].work
    let expected = entries[current].done + images
    entries[current].work.images = name == planned.stage ? expected : max(planned.images, expected)
    entries[current].done += done
    running.append((current, name, images - done, now))
  }

  /// The innermost stage went on by so many images.
  public mutating func advance(images: Double, now: Double) {
    guard let last = running.indices.last else { return }
    let entry = running[last].entry
    let counted = min(images, running[last].left)
    running[last].left -= counted
    entries[entry].done += counted
    entries[entry].timed += counted
    entries[entry].seconds += now - running[last].since
    running[last].since = now
  }

  /// The innermost stage is over, whatever it left undone.
  public mutating func end(now: Double) {
    guard let stage = running.popLast() else { return }
    entries[stage.entry].done += stage.left
    if stage.name == entries[stage.entry].work.stage { entries[stage.entry].isOver = true }
    // What was inside it took its own time.
    if let outer = running.indices.last { running[outer].since = now }
  }

  /// Seconds until the last stage ends; nil while no speed is known.
  public var secondsLeft: Double? {
    let work = entries.reduce(0) { $0 + $1.timed * $1.work.cost }
    let seconds = entries.reduce(0) { $0 + $1.seconds }
    guard work > 0, seconds > 0 else { return nil }
    return entries.reduce(0) { sum, entry in
      guard !entry.isOver else { return sum }
      let isTimed = entry.timed > 0 && entry.seconds > 0
      let pace = isTimed ? entry.seconds / entry.timed : seconds / work * entry.work.cost
      return sum + max(0, entry.work.images - entry.done) * pace
    }
  }

  /// Which stage of how many is under way, from 1; nil where none is.
  public var position: (number: Int, count: Int)? { running.first.map { ($0.entry + 1, entries.count) } }
  /// The name of the innermost stage.
  public var stage: String? { running.last?.name }
}
