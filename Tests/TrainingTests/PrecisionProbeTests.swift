import Foundation
import Support
import Synchronization
import Testing
import Torch

@testable import Training

/// The choice between float32 and bfloat16, and where it is kept.
struct PrecisionProbeTests {
  private typealias Times = PrecisionProbe.Times

  /// A probe of a machine called `name`, and how often it was asked to measure.
  private func probe(_ file: String?, _ name: String = "m", bfloat16: Double, hasBFloat16: Bool = true) -> (
    PrecisionProbe, Counter
  ) {
    let counter = Counter()
    let probe = PrecisionProbe(file: file, hasBFloat16: hasBFloat16, machine: { name }) {
      counter.count.withLock { $0 += 1 }
      return PrecisionProbe.Times(float32: 1, bfloat16: bfloat16)
    }
    return (probe, counter)
  }
  private final class Counter: Sendable {
    let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
  }
  private func withFile(_ body: (_ folder: String, _ file: String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("antidote-probe-\(UUID().uuidString)")
      .path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder, "\(folder)/cache/precision.json")
  }

  @Test func theFasterOneIsTaken() {
    let slow = Precision.automatic(on: .cpu, probe: PrecisionProbe(Times(float32: 1, bfloat16: 1.6)))
    #expect(slow.precision == .float32 && slow.reason == "1.6 times as fast as bfloat16 here")
    let fast = Precision.automatic(on: .cpu, probe: PrecisionProbe(Times(float32: 3, bfloat16: 2)))
    #expect(fast.precision == .bfloat16 && fast.reason == "1.5 times as fast as float32 here")
    #expect(
      Precision.automatic(on: .cuda(0), probe: PrecisionProbe(Times(float32: 2, bfloat16: 1))).precision == .float32)
  }

  @Test func withoutInstructionsNothingIsTimed() {
    let (probe, counter) = probe(nil, bfloat16: 0.1, hasBFloat16: false)
    #expect(Precision.automatic(on: .cpu, probe: probe).precision == .float32 && counter.value == 0)
  }

  @Test func oneMeasurementServesLaterProcesses() throws {
    try withFile { _, file in
      let (first, count) = probe(file, bfloat16: 2)
      #expect(
        first.times() == Times(float32: 1, bfloat16: 2) && first.times() == Times(float32: 1, bfloat16: 2)
          && count.value == 1)
      // Another process: it reads the file.
      let (second, none) = probe(file, bfloat16: 0.5)
      #expect(second.times() == Times(float32: 1, bfloat16: 2) && none.value == 0)
      // Another machine with the same home: it measures, and both stay.
      let (other, one) = probe(file, "other", bfloat16: 0.5)
      #expect(other.times()?.choice == .bfloat16 && one.value == 1)
      let (again, zero) = probe(file, bfloat16: 0.5)
      #expect(again.times()?.choice == .float32 && zero.value == 0)
    }
  }

  @Test(arguments: [
    "", "{", "[1]", #"{"m": 3}"#, #"{"m": {"float32": 0, "bfloat16": 1}}"#,
    #"{"m": {"float32": "NaN", "bfloat16": 1}}"#,
  ])
  func aDamagedFileIsMadeAnew(_ text: String) throws {
    try withFile { folder, file in
      try FileManager.default.createDirectory(atPath: "\(folder)/cache", withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      let (first, count) = probe(file, bfloat16: 2)
      #expect(first.times()?.bfloat16 == 2 && count.value == 1)
      let (second, none) = probe(file, bfloat16: 0.5)
      #expect(second.times()?.bfloat16 == 2 && none.value == 0)
    }
  }

  /// A file in place of the folder: nobody can write there, root neither.
  @Test func aFolderThatCannotBeWrittenIsNoError() throws {
    try withFile { folder, file in
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: "\(folder)/cache"))
      let (probe, count) = probe(file, bfloat16: 2)
      #expect(probe.times()?.bfloat16 == 2 && probe.times()?.bfloat16 == 2 && count.value == 1)
    }
  }

  /// The measurement itself, inside a computation that records no gradients.
  @Test func theMeasurement() {
    let threads = Runtime.threadCount
    defer { Runtime.threadCount = threads }
    Runtime.threadCount = 3
    let times = noGrad { ConvolutionSpeed.measured() }
    #expect(times.float32 > 0 && times.bfloat16 > 0 && times.float32 < 10 && times.bfloat16 < 10, "\(times)")
    #expect(Runtime.threadCount == 3, "it measures on one thread, and leaves the number as it was")
  }
}
