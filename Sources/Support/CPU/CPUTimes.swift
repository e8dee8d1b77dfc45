import Foundation

/// What the machine's cores have done since it started, from /proc/stat.
public struct CPUTimes: Hashable, Sendable {
  /// Clock ticks of one core.
  public struct Core: Hashable, Sendable {
    /// Ticks without work; waiting for a disk counts as such.
    public var idle: Int
    /// All ticks.
    public var total: Int
  }

  /// By the core's number; empty where the system tells nothing.
  public var cores: [Int: Core]

  /// - Parameter stat: the text of /proc/stat.
  public init(stat: String) {
    cores = [:]
    for line in stat.split(separator: "\n") where line.hasPrefix("cpu") {
      let words = line.split(separator: " ")
      // user nice system idle iowait irq softirq steal; guests are counted under user already.
      let ticks = words.dropFirst().prefix(8).compactMap { Int($0) }
      guard let number = Int(words[0].dropFirst(3)), ticks.count >= 4 else { continue }
      cores[number] = Core(idle: ticks[3] + (ticks.count > 4 ? ticks[4] : 0), total: ticks.reduce(0, +))
    }
  }

  /// The cores at this moment.
  public static var now: CPUTimes { CPUTimes(stat: (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? "") }

  /// How many of some cores had nothing to do between two moments, e.g. 1.5; nil where the system does not tell.
  public static func idleCores(from before: CPUTimes, to after: CPUTimes, among numbers: Set<Int>) -> Double? {
    var sum: Double?
    for number in numbers {
      guard let old = before.cores[number], let new = after.cores[number], new.total > old.total else { continue }
      sum = (sum ?? 0) + min(1, max(0, Double(new.idle - old.idle) / Double(new.total - old.total)))
    }
    return sum
  }
}
