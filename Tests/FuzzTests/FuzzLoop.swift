import Foundation
import Glibc
import Support
import Synchronization

/// Feeds mutated inputs to readers. Each must return or throw an error of Antidote's own that says in a few lines what
/// is wrong, within seconds and without much memory. What a reader does not survive is in `folder/input` when the
/// process is gone, its name in `folder/reader`; what else it does wrong is kept in `folder/<reader>-<number>`.
///
/// An input whose outcome is new (another message, apart from its numbers and names) joins those that are mutated.
final class FuzzLoop {
  struct Finding {
    let reader: String
    let what: String
    let path: String
  }

  /// Seconds that one input may take.
  static let slowest = 20.0
  /// Bytes by which the process may grow.
  static let largestGrowth = 768 << 20
  private static let poolSize = 200
  private static let modules: Set = [
    "Support", "Files", "Formats", "Torch", "TorchNN", "Vision", "Training", "SelfSupervision", "Backdoor", "Attacks",
    "Defenses",
    "Evaluation", "Experiments", "Reporting",
  ]

  let folder: String
  private(set) var findings: [Finding] = []
  /// Inputs tried and seconds taken, by reader.
  private(set) var counts: [String: (inputs: Int, accepted: Int, seconds: Double)] = [:]
  private let subjects: [Subject]
  private var pools: [[[UInt8]]]
  private var outcomes: [Set<String>]
  private var reported: Set<String> = []
  private let seed: Seed
  private var round = 0
  private let current: ScratchFile
  private let memoryAtStart = peakMemory()

  init(_ subjects: [Subject], seed: UInt64, folder: String) throws {
    (self.subjects, self.seed, self.folder) = (subjects, Seed(seed), folder)
    pools = subjects.map(\.seeds)
    outcomes = subjects.map { _ in [] }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    current = ScratchFile("\(folder)/input")
  }

  /// So many inputs for each reader. The first round begins with the seeds, which must be accepted.
  func run(inputs: Int) throws {
    for (number, subject) in subjects.enumerated() {
      try Data(subject.name.utf8).write(to: URL(fileURLWithPath: "\(folder)/reader"))
      var mutator = Mutator(seed: seed(subject.name, round))
      mutator.words = subject.words.map { Array($0.utf8) }
      let start = Date()
      var accepted = 0
      if round == 0 {
        for input in subject.seeds where !attempt(input, number) {
          note(subject, "a seed is refused: \(outcomes[number].sorted())", input, signature: "seed")
        }
      }
      for _ in 0..<inputs {
        let pool = pools[number]
        var input = mutator.mutated(pool[mutator.below(pool.count)], with: pool[mutator.below(pool.count)])
        if mutator.below(2) == 0 { input = subject.repair(input) }
        if attempt(input, number) { accepted += 1 }
      }
      let before = counts[subject.name] ?? (0, 0, 0)
      counts[subject.name] = (
        before.inputs + inputs, before.accepted + accepted, before.seconds + Date().timeIntervalSince(start)
      )
    }
    round += 1
  }

  /// One input of one reader, as it was found earlier.
  func replay(_ input: [UInt8], reader: String) {
    for (number, subject) in subjects.enumerated() where subject.name == reader {
      print("\(reader): \(attempt(input, number) ? "accepted" : outcomes[number].joined())")
    }
  }

  /// True where the input was accepted.
  private func attempt(_ input: [UInt8], _ number: Int) -> Bool {
    let subject = subjects[number]
    // What is written to a file outlives the process that a trap ends.
    current.set(input)
    let outcome: String
    Watchdog.begin("\(subject.name): \(folder)/input")
    do {
      try subject.read(input)
      outcome = "accepted"
    } catch {
      outcome = Self.signature("\(error)")
      check(error, subject, input)
    }
    Watchdog.end()
    if peakMemory() - memoryAtStart > Self.largestGrowth {
      note(subject, "memory grew by \((peakMemory() - memoryAtStart) >> 20) MiB", input, signature: "memory")
    }
    if outcomes[number].insert(outcome).inserted {
      if pools[number].count >= Self.poolSize { pools[number].remove(at: subject.seeds.count) }
      pools[number].append(input)
    }
    return outcome == "accepted"
  }

  private func check(_ error: any Error, _ subject: Subject, _ input: [UInt8]) {
    let type = String(reflecting: Swift.type(of: error))
    let text = "\(error)"
    if !Self.modules.contains(String(type.prefix { $0 != "." })) {
      note(subject, "throws \(type): \(text.prefix(300))", input, signature: type)
    }
    if text.count > 5000 {
      note(subject, "an error of \(text.utf8.count) bytes: \(text.prefix(300))", input, signature: "long")
    }
    if text.contains("allocate") {
      note(subject, "asks for too much memory: \(text.prefix(300))", input, signature: "allocate")
    }
  }

  private func note(_ subject: Subject, _ what: String, _ input: [UInt8], signature: String) {
    guard reported.insert("\(subject.name) \(signature)").inserted else { return }
    let path = "\(folder)/\(subject.name)-\(findings.count)"
    try? Data(input).write(to: URL(fileURLWithPath: path))
    findings.append(Finding(reader: subject.name, what: what, path: path))
    // A later input may end the process.
    print("\(subject.name): \(what) (\(path))")
  }

  /// A message without what differs from input to input: numbers and what stands in quotes.
  private static func signature(_ text: String) -> String {
    var out = ""
    var isQuoted = false
    for character in text.prefix(400) {
      if character == "'" || character == "\"" { isQuoted.toggle() }
      if !isQuoted, !character.isNumber { out.append(character) }
    }
    return String(out.prefix(160))
  }
}

/// A file whose content changes many times a second: it stays open, which costs a tenth of writing it anew.
final class ScratchFile: Sendable {
  private let descriptor: Int32

  init(_ path: String) { descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
  deinit { close(descriptor) }

  func set(_ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    ftruncate(descriptor, off_t(bytes.count))
  }
}

/// Bytes that the process had in memory at the most.
private func peakMemory() -> Int {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return usage.ru_maxrss << 10
}

/// Ends the process when an input takes too long.
private enum Watchdog {
  private struct State {
    var what: String?
    var start = Date()
    var isStarted = false
  }
  private static let state = Mutex(State())

  static func begin(_ what: String) {
    let isNew = state.withLock { state in
      (state.what, state.start) = (what, Date())
      defer { state.isStarted = true }
      return !state.isStarted
    }
    if isNew { Thread.detachNewThread { watch() } }
  }

  static func end() { state.withLock { $0.what = nil } }

  private static func watch() {
    while true {
      sleep(1)
      let late = state.withLock { state in
        state.what.flatMap { Date().timeIntervalSince(state.start) > FuzzLoop.slowest ? $0 : nil }
      }
      if let late {
        FileHandle.standardError.write(Data("no end after \(FuzzLoop.slowest) seconds: \(late)\n".utf8))
        abort()
      }
    }
  }
}
