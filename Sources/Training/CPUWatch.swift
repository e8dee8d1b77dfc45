import Foundation
import Support
import Synchronization

/// Notices that a computation does not get the CPU time of its threads, and says so once.
public final class CPUWatch: Sendable {
  /// Two moments of a process and its machine compared.
  public struct Span: Sendable {
    /// Wall-clock seconds.
    public var wall: Double
    /// CPU seconds of the process, all threads together.
    public var cpu: Double
    /// Threads of one operation.
    public var threads: Int
    /// Allowed cores without work, as a mean; nil where it is not known.
    public var idle: Double?
    /// CPU time that the process's control group grants, in cores; nil where there is no quota.
    public var quota: Double?

    public init(wall: Double, cpu: Double, threads: Int, idle: Double?, quota: Double?) {
      (self.wall, self.cpu, self.threads, self.idle, self.quota) = (wall, cpu, threads, idle, quota)
    }

    /// The share of its threads' time that the process had a core for.
    public var share: Double { cpu / (wall * Double(threads)) }

    /// Whether something kept the threads from running. Threads that had nothing to do, because some work is not
    /// parallel, leave cores idle: then nothing is wrong.
    public var isStarved: Bool {
      guard let idle, wall > 0, share < 0.6 else { return false }
      let missing = wall * Double(threads) - cpu
      let unused = min(idle * wall, quota.map { max(0, $0 * wall - cpu) } ?? .infinity)
      return unused < missing / 2
    }

    /// What to tell the user.
    public var warning: String {
      let percent = Int((share * 100).rounded())
      let cause =
        quota.map { $0 < Double(threads) } == true
        ? "the CPU quota is \(formatCores(quota ?? 0))" : "other processes use the cores"
      let advice =
        threads > 1 ? "--threads 1 is faster then; or end what else runs." : "It is faster when nothing else runs."
      return
        "warning: this gets \(percent)% of the CPU time that \(threads) thread\(threads == 1 ? "" : "s") can use: "
        + "\(cause). \(advice)"
    }

    private func formatCores(_ cores: Double) -> String {
      String(format: cores == 1 ? "%.0f core" : "%.1f cores", cores)
    }
  }

  /// Warns once, when two spans in a row are starved: a short burst of other work is nobody's concern.
  struct Patience {
    private var starved = 0
    private(set) var hasWarned = false

    /// - Returns: the warning, the one time that it is due.
    mutating func note(_ span: Span) -> String? {
      guard !hasWarned else { return nil }
      starved = span.isStarved ? starved + 1 : 0
      hasWarned = starved >= 2
      return hasWarned ? span.warning : nil
    }
  }

  private struct State {
    var start: Moment?
    var patience = Patience()
  }

  private struct Moment {
    var date = ContinuousClock.now
    var cpu = CPUWatch.processSeconds
    var times = CPUTimes.now
  }

  private let state = Mutex(State())
  private let interval: Double
  private let threads: Int
  private let allowed: Set<Int>
  private let quota: Double?

  /// - Parameters:
  ///   - threads: threads of one operation.
  ///   - interval: seconds between two looks.
  public init(threads: Int, interval: Double = 5) {
    self.threads = threads
    self.interval = interval
    let machine = CPUAvailability.measured(seconds: 0)
    (allowed, quota) = (machine.allowed, machine.quota)
  }

  /// Called often; looks every few seconds.
  /// - Returns: the warning, the one time that it is due.
  public func check() -> String? {
    state.withLock { state in
      guard !state.patience.hasWarned else { return nil }
      guard let start = state.start else {
        state.start = Moment()
        return nil
      }
      let wall = start.date.duration(to: .now) / .seconds(1)
      guard wall >= interval else { return nil }
      let end = Moment()
      state.start = end
      let span = Span(
        wall: wall, cpu: end.cpu - start.cpu, threads: threads,
        idle: CPUTimes.idleCores(from: start.times, to: end.times, among: allowed), quota: quota)
      return state.patience.note(span)
    }
  }

  /// CPU seconds that this process has used.
  private static var processSeconds: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }
}
