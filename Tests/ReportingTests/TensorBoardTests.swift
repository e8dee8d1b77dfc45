import Experiments
import Files
import Foundation
import TestFiles
import Testing

@testable import Reporting

struct TensorBoardTests {
  /// The checksums of RFC 3720, appendix B.4.
  @Test func checksums() {
    #expect(MaskedChecksum.crc32c(Array("123456789".utf8)) == 0xE306_9283)
    #expect(MaskedChecksum.crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(MaskedChecksum.crc32c(0..<32) == 0x46DD_794E)
    #expect(MaskedChecksum.crc32c([]) == 0)
    #expect(MaskedChecksum.of([]) == 0xA282_EAD8)
    // As TensorBoard computes them.
    #expect(MaskedChecksum.of(Array("123456789".utf8)) == 0xC78A_B0E5)
    #expect(MaskedChecksum.of([24, 0, 0, 0, 0, 0, 0, 0]) == 0x224B_7FA3)
  }

  @Test func aFileByHand() {
    let metrics = [MetricsEntry(stage: "t", epoch: 300, values: ["a": 0.5, "seconds": 2])]
    let bytes = EventFile.bytes(metrics, start: Date(timeIntervalSince1970: 1))
    // Event: wall time 1.0 (field 1, eight bytes), version (field 3, 13 bytes).
    let first: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x1A, 13] + Array("brain.Event:2".utf8)
    // Wall time 3.0, step 300 as a varint, a summary of two values.
    let tags: [UInt8] =
      [0x0A, 10, 0x0A, 3] + Array("t/a".utf8) + [0x15, 0, 0, 0, 0x3F]
      + [0x0A, 16, 0x0A, 9] + Array("t/seconds".utf8) + [0x15, 0, 0, 0, 0x40]
    let second: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0x08, 0x40, 0x10, 0xAC, 0x02, 0x2A, UInt8(tags.count)] + tags
    #expect(bytes.count == first.count + second.count + 32)
    #expect(Array(bytes[0..<8]) == [UInt8(first.count), 0, 0, 0, 0, 0, 0, 0])
    #expect(Array(bytes[12..<12 + first.count]) == first)
    let rest = Array(bytes[(16 + first.count)...])
    #expect(rest[0] == UInt8(second.count) && Array(rest[12..<12 + second.count]) == second)
    // Whole files are read by TensorBoard itself in scripts/check-tensorboard.
    #expect(Array(bytes[8..<12]) == little(MaskedChecksum.of(bytes[0..<8])))
    #expect(Array(rest[(12 + second.count)...]) == little(MaskedChecksum.of(second)))
  }

  @Test func besideTheMetrics() throws {
    let example = try ReportExample()
    let path = try #require(try Report.writeTensorBoard(runDirectory: example.path))
    #expect(path == example.path + "/events.out.tfevents.antidote")
    let once = try Data(contentsOf: URL(fileURLWithPath: path))
    try Report.writeTensorBoard(runDirectory: example.path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == once && once.count > 400)
    try FileManager.default.removeItem(atPath: example.directory.metrics.path)
    #expect(try Report.writeTensorBoard(runDirectory: example.path) == nil)
  }

  private func little(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}
