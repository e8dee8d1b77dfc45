import Foundation
import Testing

/// Workers of a grid, and processes of its cells, that are killed at random moments: the grid completes, every record is
/// whole, and every result is that of a grid that was left alone.
///
/// ANTIDOTE_GRID_KILLS says how often (`make torture`: 20) and ANTIDOTE_KILL_SEED which moments. Of many kills about half hit
/// cells, two of which have features in common.
struct GridKillTests {
  private static let kills = environment("ANTIDOTE_GRID_KILLS") ?? 1
  private static let file =
    kills > 2
    ? GridTests.base
      + "defenses: [none, {name: ft, epochs: 2}, {name: sau, epochs: 1, batch: 16}, \(variant("ss-ce")), "
      + "\(variant("ss-sce"))]\nseeds: [0, 1]\n"
    : GridTests.base + "defenses: [none, {name: ft, epochs: 2}]\n"

  private static func variant(_ name: String) -> String {
    "{name: dbd, label: \(name), variant: \(name), pretrain: {epochs: 2, batch: 32}, tune: {epochs: 2, batch: 32}}"
  }

  private static let command = ["grid", "run", "g.yaml", "--out", "g", "--jobs", "2", "--retry-failed", "--lease", "5"]

  @Test func aGridWhoseProcessesAreKilled() throws {
    try withTool { undisturbed in
      try undisturbed.write(Self.file, to: "g.yaml")
      let start = Date()
      try undisturbed.succeed(Self.command)
      let duration = Date().timeIntervalSince(start)
      let expected = try content(undisturbed)
      var random = Moments(seed: UInt64(environment("ANTIDOTE_KILL_SEED") ?? 1))
      var history: [String] = []
      var grids = 0
      while history.count < Self.kills {
        history += try campaign(expected, duration, &random, most: Self.kills - history.count)
        grids += 1
      }
      if Self.kills > 2 {
        let cells = history.count { $0 == "cell" }
        #expect(cells > 0 && cells < history.count)
        let text =
          "grid: \(cells) kills of cells, \(history.count - cells) of workers, in \(grids) grids, all as undisturbed\n"
        FileHandle.standardError.write(Data(text.utf8))
      }
    }
  }

  /// One grid from its beginning to its end, with two workers of which some are killed.
  /// - Returns: whom the kills hit.
  private func campaign(
    _ expected: [String: Data], _ duration: Double, _ random: inout Moments, most: Int
  ) throws -> [String] {
    try withTool { tool in
      try tool.write(Self.file, to: "g.yaml")
      var history: [String] = []
      while history.count < min(most, 5) {
        let workers = [try Running(Self.command, in: tool.folder), try Running(Self.command, in: tool.folder)]
        usleep(UInt32(random.fraction() * 0.6 * duration * 1e6))
        guard workers.contains(where: \.isRunning) else { break }
        if Self.kills > 2, random.fraction() < 0.6, let cell = cells(of: workers).first {
          // The system does this where memory runs out: its worker goes on.
          kill(cell, SIGKILL)
          history.append("cell")
          usleep(UInt32(random.fraction() * 0.3 * duration * 1e6))
        }
        if Self.kills <= 2 || random.fraction() < 0.6, workers[0].isRunning {
          // It leaves its cells behind, which must end by themselves; the other one takes over.
          workers[0].send(SIGKILL)
          history.append("worker")
        }
        let first = try workers[0].wait()
        #expect([0, 1, 128 + SIGKILL].contains(first.code), "\(history): \(first)")
        if random.fraction() < 0.3, workers[1].isRunning {
          workers[1].send(SIGKILL)
          history.append("worker")
        }
        let result = try workers[1].wait()
        #expect([0, 1, 128 + SIGKILL].contains(result.code), "\(history): \(result)")
      }
      let result = try tool.run(Self.command)
      #expect(result.code == 0, "\(history): \(result.errors)")
      let found = try content(tool)
      #expect(
        Set(found.keys) == Set(expected.keys), "\(history): \(Set(found.keys).symmetricDifference(expected.keys))")
      let other = found.keys.filter { found[$0] != expected[$0] }.sorted()
      #expect(other.isEmpty, "\(history): other bytes in \(other)")
      if Self.kills > 2 { FileHandle.standardError.write(Data("grid: \(history) and as undisturbed\n".utf8)) }
      return history
    }
  }

  /// The processes of cells: children of the workers.
  private func cells(of workers: [Running]) -> [pid_t] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return all.compactMap { pid_t($0) }.filter { process in
      guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
        let end = text.lastIndex(of: ")")
      else { return false }
      let fields = text[text.index(after: end)...].split(separator: " ")
      return fields.count > 1 && workers.contains { "\($0.processIdentifier)" == fields[1] }
    }
  }

  /// What the runs hold, without what differs from one time to the next.
  private func content(_ tool: Tool) throws -> [String: Data] {
    try Workload.content(tool).filter { $0.key.hasPrefix("g/runs/") }
  }
}

private func environment(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap(Int.init) }
