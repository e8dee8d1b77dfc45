import Experiments
import Files
import Foundation

/// The epochs of a run as TensorBoard reads them.
///
/// A file is a row of records: the length as 8 bytes, its checksum, the bytes, their checksum, all little-endian. Each
/// record is a message `Event` in the wire format of protocol buffers, of which few fields are needed:
///
/// ```
/// Event    1 wall_time double   2 step int64   3 file_version string   5 summary Summary
/// Summary  1 value Value (repeated)
/// Value    1 tag string   2 simple_value float
/// ```
///
/// Source: `event.proto` and `summary.proto` of TensorFlow.
enum EventFile {
  /// - Parameters:
  ///   - metrics: In the order of the epochs. A tag is the stage and the value's name, `train/accuracy`; a step is the
  ///     epoch.
  ///   - start: When the run began. The time of an epoch is that, and the seconds of the epochs before.
  static func bytes(_ metrics: [MetricsEntry], start: Date) -> [UInt8] {
    var time = start.timeIntervalSince1970
    var bytes = record(event(time: time, step: nil) { $0.add(3, text: "brain.Event:2") })
    for entry in metrics {
      if let seconds = entry.values[MetricName.seconds], seconds.isFinite, seconds > 0 { time += seconds }
      var summary = ProtocolBuffer()
      for (name, value) in entry.values.sorted(by: { $0.key < $1.key }) {
        var item = ProtocolBuffer()
        item.add(1, text: "\(entry.stage)/\(name)")
        item.add(2, float: Float(value))
        summary.add(1, message: item)
      }
      bytes += record(event(time: time, step: entry.epoch) { $0.add(5, message: summary) })
    }
    return bytes
  }

  private static func event(time: Double, step: Int?, _ fill: (inout ProtocolBuffer) -> Void) -> [UInt8] {
    var event = ProtocolBuffer()
    event.add(1, double: time)
    if let step { event.add(2, integer: step) }
    fill(&event)
    return event.bytes
  }

  private static func record(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    return length + littleEndian(MaskedChecksum.of(length)) + data + littleEndian(MaskedChecksum.of(data))
  }
}

/// A message in the wire format of protocol buffers: as much of it as events need.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  /// Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
  private mutating func key(_ field: Int, _ type: Int) { add(varint: UInt64(field << 3 | type)) }
  private mutating func add(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func add(_ field: Int, integer value: Int) {
    key(field, 0)
    add(varint: UInt64(bitPattern: Int64(value)))
  }
  mutating func add(_ field: Int, double value: Double) {
    key(field, 1)
    bytes += littleEndian(value.bitPattern)
  }
  mutating func add(_ field: Int, float value: Float) {
    key(field, 5)
    bytes += littleEndian(value.bitPattern)
  }
  mutating func add(_ field: Int, text: String) {
    key(field, 2)
    add(varint: UInt64(text.utf8.count))
    bytes += text.utf8
  }
  mutating func add(_ field: Int, message: ProtocolBuffer) {
    key(field, 2)
    add(varint: UInt64(message.bytes.count))
    bytes += message.bytes
  }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

extension Report {
  /// Writes the epochs of a run beside `metrics.jsonl` as an event file for TensorBoard; one that is there is replaced.
  ///
  /// - Returns: The file's path; nil where the run has no epochs.
  /// - Throws: `RunStoreError`, `FileError`.
  @discardableResult
  public static func writeTensorBoard(runDirectory: String) throws -> String? {
    let directory = try RunDirectory.open(runDirectory)
    guard let record = try directory.readRecord() else { throw RunStoreError.notARun(directory: runDirectory) }
    let metrics = try directory.metrics.read()
    guard !metrics.isEmpty else { return nil }
    let path = directory.file(RunDirectory.eventsName)
    try AtomicFile.write(Data(EventFile.bytes(metrics, start: record.created)), to: path, followingLink: false)
    return path
  }
}
