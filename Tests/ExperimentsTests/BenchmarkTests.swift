import Experiments
import Foundation
import Support
import TestFiles
import Testing
import Training

struct BenchmarkTests {
  private func benchmark() throws -> Benchmark {
    var settings = Benchmark.Settings()
    settings.width = 2
    settings.steps = 1
    settings.batch = 8
    settings.evaluationBatch = 16
    settings.unlearningBatch = 4
    settings.epochImages = 16
    return try Benchmark(settings)
  }

  @Test func everyRowGivesARate() throws {
    let benchmark = try benchmark()
    for row in Benchmark.rows {
      let rate = try benchmark.measure(row)
      #expect(rate.isFinite && rate > 0, "\(row.id)")
    }
  }

  @Test func rowsAreChosenByGroupOrName() throws {
    func rows(_ list: String, _ precision: Precision = .bfloat16, hasBFloat16: Bool = true) throws -> [String] {
      try Benchmark.rows(named: list, precision: precision, hasBFloat16: hasBFloat16).map(\.id)
    }
    #expect(try rows("eval, poison/badnets") == ["eval/auto", "eval/float32", "poison/badnets"])
    #expect(try rows("eval", .float32) == ["eval/auto", "eval/bfloat16"])
    #expect(try rows("eval", .float32, hasBFloat16: false) == ["eval/auto"])
    #expect(try rows("eval/float32,eval/bfloat16", .float32, hasBFloat16: false) == ["eval/float32", "eval/bfloat16"])
    let error = #expect(throws: SettingsError.self) { _ = try rows("trian") }
    #expect(error?.description.hasPrefix("unknown row \"trian\". Did you mean train?") == true)
  }

  @Test func comparisonsNameKnownRows() {
    let laterOnes = ["poison/wanet"]
    for comparison in BenchmarkResult.comparisons {
      #expect(
        Benchmark.rows.contains { $0.id == comparison.row } || laterOnes.contains(comparison.row), "\(comparison.row)")
    }
  }

  @Test func theTableSaysWhichTargetsAreMet() {
    var result = BenchmarkResult(threads: 2, precision: .bfloat16, width: 64, libtorch: "2.13.0", cpu: "a processor")
    result.add("train/auto", 190)
    result.add("train/auto", 180)
    result.add("sau/auto", 15)
    result.add(peer: ["train/tuned": 200, "train/usual": 70])
    result.add(peer: ["train/tuned": 100, "train/usual": 76, "sau/published": 5])
    result.peakMemory = 1 << 30
    let lines = result.text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(lines.contains("train/usual 76.0 190 2.50x 2.5x met"))
    #expect(lines.contains("train/tuned 200 190 0.95x 1.0x not met"))
    #expect(lines.contains("sau/published 5.0 15.0 3.00x 3.3x not met"))
    #expect(lines.last == "peak memory 1.0 GiB")
  }

  @Test func epochsAreComparedWithStandardOnes() {
    var result = BenchmarkResult(threads: 2, precision: .bfloat16, width: 16, libtorch: "2.13.0", cpu: "a processor")
    for (row, rate) in [("epoch/standard", 1000.0), ("epoch/dbd-pretrain", 400), ("epoch/prl-at", 500)] {
      result.add(row, rate)
    }
    let lines = result.text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(lines.contains { $0.hasPrefix("epoch/dbd-pretrain 2.50x 4x ") })
    #expect(lines.contains { $0.hasPrefix("epoch/prl-at 2.00x noisy-label") })
  }

  @Test func epochsAreMeasuredOnlyWhenNamed() throws {
    #expect(Benchmark.groups.contains("epoch") && !Benchmark.usualGroups.contains("epoch"))
    #expect(try Benchmark.rows(named: "epoch", precision: .float32).count == EpochCost.all.count)
  }

  @Test func whatIsMissingIsNamed() {
    let none = #expect(throws: BenchmarkError.self) {
      _ = try BenchmarkPeer.find(script: "/nowhere/peer.py", environment: [:])
    }
    #expect(none?.description.contains("none at /nowhere/peer.py") == true)
    let here = #filePath
    let python = #expect(throws: BenchmarkError.self) {
      _ = try BenchmarkPeer.find(script: here, environment: ["ANTIDOTE_PYTHON": "/nowhere/python"])
    }
    #expect(python?.description.contains("tried /nowhere/python") == true)
  }

  @Test func theRepositorysScriptIsTheUsualOne() throws {
    // `true` succeeds at the imports.
    let peer = try BenchmarkPeer.find(python: "true", environment: [:])
    #expect(peer.script.hasSuffix("Benchmarks/peer.py"))
  }

  @Test func thePeersTableIsRead() throws {
    let folder = try TemporaryFolder()
    // Stands in for the interpreter: succeeds at the imports, prints a table for the script.
    let python = try folder.write(
      "python", "#!/bin/sh\n[ \"$1\" = -c ] || echo '{\"images_per_second\": {\"train/tuned\": 12.5}}'\n")
    let script = try folder.write("peer.py", "")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python)
    let peer = try BenchmarkPeer.find(script: script, python: python, environment: [:])
    #expect(try peer.measure(group: "train", Benchmark.Settings(), threads: 1) == ["train/tuned": 12.5])
  }
}
