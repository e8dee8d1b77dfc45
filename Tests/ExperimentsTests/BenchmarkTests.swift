import Experiments
import Foundation
import Support
import TestFiles
import Testing
import Torch
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
    for comparison in BenchmarkResult.comparisons {
      #expect(Benchmark.rows.contains { $0.id == comparison.row }, "\(comparison.row)")
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

  @Test(arguments: ["epoch", "defenses"]) func longGroupsAreMeasuredOnlyWhenNamed(_ group: String) throws {
    #expect(Benchmark.groups.contains(group) && !Benchmark.usualGroups.contains(group))
    #expect(try Benchmark.rows(named: group, precision: .float32).count > 10)
  }

  /// What `Benchmarks/peer_defenses.py` gets from the inputs of a network of width 2.
  @Test func theBaselinesGetThePeersNumbers() throws {
    let peer = [
      "defenses/fp": -0.105724, "defenses/anp": 2.48364, "defenses/ep": 3.55956, "defenses/nc": 28.3039,
      "defenses/nad": 35.6642, "defenses/i-bau": 0.824535, "defenses/abl": 1.01794, "defenses/dpsgd": 4.33025,
      "defenses/sgd": 2.37702, "defenses/spectral": 0.0157171, "defenses/activation-clustering": 0.47886,
      "defenses/mesa": 0.821036, "defenses/shrinkpad": 2.39583, "defenses/fst": 2.37163,
    ]
    let benchmark = try benchmark()
    for row in try Benchmark.rows(named: "defenses", precision: .float32) {
      let expected = try #require(peer[row.id], "\(row.id)")
      let value = try #require(try benchmark.value(of: row))
      #expect(abs(value - expected) <= 1e-4 * abs(expected), "\(row.id): \(value), the peer has \(expected)")
    }
  }

  @Test func ratiosAreGivenWhereBothSidesDoTheSameWork() {
    var result = BenchmarkResult(threads: 1, precision: .float32, width: 16, libtorch: "2.13.0", cpu: "a processor")
    for (row, rate) in [("anp", 300.0), ("nc", 200), ("sgd", 900), ("dpsgd", 300)] {
      result.add("defenses/\(row)", rate)
    }
    result.add(peer: [
      "defenses/anp": 100, "defenses/nc": 100, "defenses/sgd": 800, "defenses/dpsgd": 200, "defenses/dpsgd-loop": 50,
    ])
    func lines() -> [String] {
      result.text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    }
    result.values = ["defenses/anp": 2, "defenses/nc": 4]
    result.peerValues = ["defenses/anp": 2.0002, "defenses/nc": 4.0001, "defenses/dpsgd-loop": 1]
    #expect(result.disagreeing.isEmpty)
    #expect(lines().contains("defenses/anp 100 300 3.00x 1.0x met"))
    #expect(
      lines().contains(
        "Both sides get the same numbers in the first step of 2 rows, to 1e-04 of each (float32)."))
    #expect(
      lines().contains(
        "One step of dpsgd takes as long as 3.0 plain ones; the peer's as 4.0, sample by sample 16.0 of its own."))

    result.peerValues["defenses/anp"] = 2.1
    #expect(result.disagreeing == ["defenses/anp"])
    #expect(lines().contains("defenses/anp 100 300 - not the same work: 2.1 there, 2 here"))
    #expect(lines().contains("defenses/nc 100 200 2.00x 1.0x met"))
    #expect(!result.text.contains("the same numbers"))
    // What is no number agrees with nothing.
    result.peerValues["defenses/anp"] = .nan
    #expect(result.disagreeing == ["defenses/anp"])
  }

  @Test func thePeerGetsWhatTheRowsComputeFrom() throws {
    let (folder, benchmark) = (try TemporaryFolder(), try benchmark())
    let path = folder.path + "/inputs.safetensors"
    #expect(try benchmark.saveInputs(of: "train", to: path) == false)
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try benchmark.saveInputs(of: "defenses", to: path))
    let tensors = try Safetensors.load(path)
    for key in ["images", "labels", "model.conv1.weight", "other.layer4.1.bn2.running_var", "pruning.0", "draw.rows"] {
      #expect(tensors[key] != nil, "\(key)")
    }
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
      "python",
      "#!/bin/sh\n[ \"$1\" = -c ] || echo '{\"images_per_second\": {\"train/tuned\": 12.5}, \"values\": "
        + "{\"words\": '`echo $* | wc -w`'}}'\n")
    let script = try folder.write("peer.py", "")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python)
    let peer = try BenchmarkPeer.find(script: script, python: python, environment: [:])
    var settings = Benchmark.Settings()
    let rows = try Benchmark.rows(named: "train", precision: .float32)
    let measured = try peer.measure(rows, settings, threads: 1)
    #expect(measured.rates == ["train/tuned": 12.5])
    // A device and a file of inputs are handed on.
    settings.device = .cuda(0)
    let words = try peer.measure(rows, settings, threads: 1, inputs: "a.safetensors").values["words"]
    #expect(words == measured.values["words"].map { $0 + 4 })
  }
}
