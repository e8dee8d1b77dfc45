import Foundation
import Testing

/// Processes that are killed at random moments, and the same command given again until it is finished: every file is
/// that of an undisturbed process, and no other file stays.
///
/// ANTIDOTE_KILLS says how often in all (`make torture`: 200) and ANTIDOTE_KILL_SEED which moments; more than a few
/// kills are told on standard error as they come.
struct KillTests {
  private static let kills = environment("ANTIDOTE_KILLS") ?? 6
  private static let seed = environment("ANTIDOTE_KILL_SEED") ?? 1
  private static let tells = kills > 20

  @Test func whatIsKilledEndsAsIfUndisturbed() throws {
    print("kill test: \(Self.kills) kills, ANTIDOTE_KILL_SEED=\(Self.seed)")
    let share = (Self.kills + Workload.all.count - 1) / Workload.all.count
    for (number, workload) in Workload.all.enumerated() {
      try withTool { undisturbed in
        try workload.prepare(undisturbed)
        let inputs = try Workload.content(undisturbed)
        let start = Date()
        try undisturbed.succeed(workload.command)
        let campaign = KillCampaign(
          workload: workload, inputs: undisturbed, inputNames: Set(inputs.keys),
          expected: try Workload.content(undisturbed),
          duration: Date().timeIntervalSince(start), seed: UInt64(Self.seed * Workload.all.count + number))
        try campaign.run(kills: share, tells: Self.tells)
      }
    }
  }
}

private func environment(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap(Int.init) }

/// One command, killed again and again.
private final class KillCampaign {
  private let workload: Workload
  /// A folder that holds what the command needs, by these names.
  private let inputs: Tool
  private let inputNames: Set<String>
  private let expected: [String: Data]
  /// Seconds that an undisturbed process takes, the shortest seen.
  private var duration: Double
  private var random: Moments

  init(
    workload: Workload, inputs: Tool, inputNames: Set<String>, expected: [String: Data], duration: Double, seed: UInt64
  ) {
    (self.workload, self.inputs, self.inputNames) = (workload, inputs, inputNames)
    (self.expected, self.duration, random) = (expected, duration, Moments(seed: seed))
  }

  func run(kills: Int, tells: Bool) throws {
    var (killed, finished) = (0, 0)
    while killed < kills {
      try withTool { tool in
        for name in inputNames { try inputs.data(name).write(to: URL(fileURLWithPath: tool.path(name))) }
        var history: [String] = []
        // Between one kill and four; then the command may finish.
        let most = min(kills - killed, 1 + Int(random.fraction() * 4))
        var isDone = false
        while !isDone, history.count < most {
          isDone = try isFinished(try Running(workload.command, in: tool.folder), &history)
        }
        if !isDone { #expect(isSuccess(try tool.run(workload.command), history), "\(workload.name), \(history)") }
        killed += history.count
        let found = try Workload.content(tool)
        let names = Set(found.keys).symmetricDifference(expected.keys).sorted()
        #expect(names.isEmpty, "\(workload.name), \(history): left or lost \(names)")
        let other = found.keys.filter { expected[$0] != nil && expected[$0] != found[$0] }.sorted()
        #expect(other.isEmpty, "\(workload.name), \(history): other bytes in \(other)")
        finished += 1
        if tells { tell("\(workload.name): \(killed) of \(kills) kills, \(finished) finished as undisturbed\n") }
      }
    }
  }

  /// Lets the process go on for a while and sends it a signal; true where it was finished before.
  private func isFinished(_ process: Running, _ history: inout [String]) throws -> Bool {
    let (moment, signal) = (random.moment(of: duration), random.signal())
    let start = Date()
    let end = start.addingTimeInterval(moment)
    while process.isRunning, Date() < end { usleep(UInt32(min(2000, max(0, end.timeIntervalSinceNow * 1e6)))) }
    let isLate = !process.isRunning
    process.send(signal)
    let result = try process.wait()
    if isLate, history.isEmpty { duration = min(duration, Date().timeIntervalSince(start)) }
    if isSuccess(result, history) { return true }
    #expect(!isLate && result.code == 128 + signal, "\(workload.name), \(history), signal \(signal): \(result)")
    history.append("signal \(signal) after \(Int(moment * 1000)) ms")
    return false
  }

  /// Exit code 0, or after a kill the refusal to write anew what is there: the killed process had written its result
  /// and not yet ended.
  private func isSuccess(_ result: Tool.Result, _ history: [String]) -> Bool {
    result.code == 0 || (!history.isEmpty && result.errors.contains("exists already"))
  }

  private func tell(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// When and how processes are killed.
struct Moments {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  /// SplitMix64, in [0, 1).
  mutating func fraction() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) / Double(1 << 53)
  }

  /// Seconds after the start; one in five in the last tenth, where results get their names and the rest is removed.
  mutating func moment(of duration: Double) -> Double {
    fraction() < 0.2 ? duration * (0.9 + 0.15 * fraction()) : duration * 1.05 * fraction()
  }

  mutating func signal() -> Int32 {
    switch fraction() {
    case ..<0.7: SIGKILL
    case ..<0.8: SIGTERM
    case ..<0.9: SIGINT
    default: SIGHUP
    }
  }
}
