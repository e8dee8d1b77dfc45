import Files
import Foundation

/// How much of the machine's CPU a process may use, and how much of that nobody else uses.
///
/// A parallel operation is as slow as its slowest thread: on two cores that two other processes keep busy, a training
/// run takes three times as long with two threads as with one. So a computation takes as many threads as there are free
/// cores.
public struct CPUAvailability: Hashable, Sendable {
  /// Cores of the machine.
  public var cores: Int
  /// Numbers of the cores that the process may run on (its affinity).
  public var allowed: Set<Int>
  /// CPU time that the process's control group grants, in cores; nil where there is no quota.
  public var quota: Double?
  /// How many of the allowed cores had nothing to do; all of them where the system does not tell.
  public var free: Double

  /// - Parameters:
  ///   - before: /proc/stat at one moment, `after` at a later one.
  ///   - status: the text of /proc/PID/status, which names the allowed cores.
  public init(before: CPUTimes, after: CPUTimes, status: String, quota: Double?, cores: Int) {
    let all = Set(after.cores.isEmpty ? Array(0..<max(1, cores)) : Array(after.cores.keys))
    let list = Processor.field("Cpus_allowed_list", of: status).map(Self.numbers) ?? all
    let allowed = all.intersection(list).isEmpty ? all : all.intersection(list)
    self.cores = all.count
    self.allowed = allowed
    self.quota = quota
    free = CPUTimes.idleCores(from: before, to: after, among: allowed) ?? Double(allowed.count)
  }

  /// Looks at this machine and process.
  /// - Parameter seconds: how long; the system counts in hundredths of a second.
  public static func measured(seconds: Double = 0.15) -> CPUAvailability {
    let before = CPUTimes.now
    usleep(UInt32(seconds * 1e6))
    return CPUAvailability(
      before: before, after: .now, status: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "",
      quota: CPUQuota.current, cores: ProcessInfo.processInfo.activeProcessorCount)
  }

  /// Threads that have a core each: at least 1. A core of which three quarters are free counts as free.
  public var threads: Int { max(1, Int(min(free, quota ?? .infinity) + 0.25)) }

  /// E.g. "0.4 of 2 cores are free", "7.9 of 8 allowed cores are free, the quota is 2.5".
  public var description: String {
    let all = allowed.count == cores ? "\(cores) core\(cores == 1 ? "" : "s")" : "\(allowed.count) allowed cores"
    return "\(decimal(free, 1)) of \(all) \(cores == 1 ? "is" : "are") free"
      + (quota.map { ", the quota is \(decimal($0, 1))" } ?? "")
  }

  /// The numbers of a list such as `0-3,8`.
  static func numbers(_ list: String) -> Set<Int> {
    list.split(separator: ",").reduce(into: []) { result, part in
      let ends = part.split(separator: "-").compactMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
      if let first = ends.first, let last = ends.last, first <= last, last < 1 << 20 { result.formUnion(first...last) }
    }
  }
}
