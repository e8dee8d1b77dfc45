import Experiments
import Foundation
import Glibc
import Testing

/// Damaged and hostile files: every reader returns or throws, whatever it is given.
///
/// `make fuzz` goes on for FUZZ_SECONDS; otherwise each reader gets a few inputs. FUZZ_SEED chooses them; FUZZ_FOLDER
/// keeps what a reader does not survive; FUZZ_READER limits it to some readers, by name with commas, and with
/// FUZZ_INPUT (a path) one input is tried again.
@Suite(.serialized) struct FuzzTests {
  @Test func readersSurvive() throws {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["FUZZ_SECONDS"].flatMap(Double.init)
    let seed = environment["FUZZ_SEED"].flatMap(UInt64.init) ?? 1
    let work = FileManager.default.temporaryDirectory.appendingPathComponent("antidote-fuzz-work-\(UUID().uuidString)")
      .path
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: work) }
    let folder = environment["FUZZ_FOLDER"] ?? "\(work)/findings"
    let only = environment["FUZZ_READER"]
    let names = only?.split(separator: ",").map(String.init)
    let subjects = try Subject.all(in: work).filter { names?.contains($0.name) ?? true }
    let loop = try FuzzLoop(subjects, seed: seed, folder: folder)
    if let input = environment["FUZZ_INPUT"], let only {
      loop.replay([UInt8](try Data(contentsOf: URL(fileURLWithPath: input))), reader: only)
      return
    }
    guard let seconds else {
      try loop.run(inputs: 40)
      return report(loop)
    }
    print("fuzzing \(subjects.count) readers for \(Int(seconds)) seconds, FUZZ_SEED=\(seed), in \(folder)")
    let end = Date(timeIntervalSinceNow: seconds)
    try withLimitedMemory {
      while Date() < end { try loop.run(inputs: 250) }
    }
    report(loop)
    for (name, count) in loop.counts.sorted(by: { $0.key < $1.key }) {
      print(
        "\(name): \(count.inputs) inputs, \(count.accepted) accepted, \(Int(Double(count.inputs) / count.seconds)) a "
          + "second"
      )
    }
    print("\(loop.counts.values.reduce(0) { $0 + $1.inputs }) inputs, \(loop.findings.count) findings")
  }

  /// Counts that the report adds up.
  @Test func aRecordOfHugeCounts() {
    let text = "{\"findings\": {\"detection\": {\"keptCount\": 9223372036854775807}}}"
    let error = #expect(throws: RunStoreError.self) { try RunRecord.decoded(from: Array(text.utf8)) }
    #expect(error.map { "\($0)".contains("2^53") } == true)
  }

  private func report(_ loop: FuzzLoop) {
    for finding in loop.findings { Issue.record("\(finding.reader): \(finding.what) (\(finding.path))") }
  }

  /// An array or buffer that would take gigabytes traps, or gives an error that the loop notices.
  private func withLimitedMemory(_ body: () throws -> Void) throws {
    var old = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &old)
    let pages =
      (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first.flatMap {
        Int($0)
      } ?? 0
    if pages > 0 {
      var limit = old
      limit.rlim_cur = min(old.rlim_max, rlim_t(pages * 4096 + 3 << 30))
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    }
    defer { setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &old) }
    try body()
  }
}
