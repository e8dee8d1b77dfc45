import Files
import Foundation
public import Support

/// Models of a bank side by side, each trained and measured by a process of its own: with one thread each, as many as
/// there are cores make most models an hour.
public struct CalibrationProcesses: Sendable {
  /// At most so many at once.
  public var count: Int
  /// The path of the antidote executable.
  public var program: String
  /// The arguments of `antidote audit calibrate` for a model.
  public var arguments: @Sendable (_ model: Int) -> [String]

  public init(count: Int, program: String, arguments: @escaping @Sendable (_ model: Int) -> [String]) {
    (self.count, self.program, self.arguments) = (count, program, arguments)
  }

  private struct Running {
    let number: Int
    let process: ChildProcess
    let start: ContinuousClock.Instant
  }

  /// Runs a process for each of the models.
  /// - Parameters:
  ///   - logs: the folder that gets what the processes say, in a file a model.
  /// - Throws: `JobError` for a process that failed, with what it said; `Interrupted` after Ctrl-C. The others have
  ///   stopped then, each where it goes on later.
  func run(_ models: [Int], of total: Int, logs: String, progress: any ProgressReporter) throws {
    try FileSystem.createFolder(logs)
    var waiting = models[...]
    var running: [Running] = []
    var done = 0
    progress.begin("clean models", total: models.count, unit: "models")
    defer { progress.end(summary: "\(done) of \(models.count)") }
    do {
      while !waiting.isEmpty || !running.isEmpty {
        try Interruption.check()
        for index in running.indices.reversed() {
          guard let ending = running[index].process.poll() else { continue }
          let ended = running.remove(at: index)
          let log = Self.log(ended.number, in: logs)
          guard ending == .exited(0) else { throw JobError.invalid(Self.failure(ended.number, ending, log: log)) }
          try FileSystem.remove(log)
          done += 1
          progress.update(
            done: done,
            note: "model \(ended.number + 1) in \(formatDuration((ContinuousClock.now - ended.start) / .seconds(1)))")
        }
        while running.count < count, let number = waiting.popFirst() {
          let process = try ChildProcess(
            program, arguments(number), log: Self.log(number, in: logs), environment: ["OMP_NUM_THREADS": "1"])
          running.append(Running(number: number, process: process, start: .now))
        }
        usleep(50_000)
      }
    } catch {
      for child in running { child.process.send((error as? Interrupted)?.signal ?? SIGTERM) }
      while !running.isEmpty {
        running.removeAll { $0.process.poll() != nil }
        if !running.isEmpty { usleep(20_000) }
      }
      throw error
    }
  }

  private static func log(_ number: Int, in folder: String) -> String { "\(folder)/model-\(number).log" }

  private static func failure(_ number: Int, _ ending: ChildProcess.Ending, log: String) -> String {
    return "clean model \(number + 1) failed (\(ending.words)): "
      + "\(ChildProcess.lastWords(log: log) ?? "it said nothing"). Its log: \(log). The same command "
      + "goes on with the others."
  }
}
