import Files
import Formats
import Foundation
import TestFiles
import Testing

/// What is written for PyTorch; `Tests/Goldens/torch_round_trip.py` loads such files in Python.
@Suite struct TorchWriterTests {
  private func tensor(_ type: ElementType, _ shape: [Int], _ bytes: [UInt8]) -> TorchItem {
    .tensor(TorchTensor(type: type, shape: shape) { bytes })
  }

  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder(), path = folder.path("m.pth")
    let plain: [(key: TorchItem, value: TorchItem)] = [
      (.string("none"), .none), (.string("yes"), .bool(true)), (.string("größe"), .string("a\nb")),
      (.int(-7), .int(3)), (.string("long"), .int(-(1 << 40))),
      (.string("big"), .bigInt([0, 0, 0, 0, 0, 0, 0, 0, 64])),
      (.string("float"), .float(-0.1)), (.string("list"), .list([.int(1), .tuple([]), .tuple([.bool(false)])])),
      (.string("dict"), .dict([(.string("a"), .float(2))])),
    ]
    let bytes = (0..<24).map { UInt8($0) }
    let state: [(key: TorchItem, value: TorchItem)] = [
      (.string("w"), tensor(.float32, [2, 3], bytes)), (.string("half"), tensor(.bfloat16, [], [1, 2])),
      (.string("none"), tensor(.float64, [0, 5], [])), (.string("flags"), tensor(.bool, [3], [1, 0, 1])),
      (.string("count"), tensor(.int64, [1, 1], [9, 0, 0, 0, 0, 0, 0, 0])),
    ]
    try TorchWriter.write(
      .dict([(.string("model"), .ordered(state))] + plain), records: [("note.json", Array("{}".utf8))], to: path)
    let archive = try TorchArchive(path)
    #expect(archive.calls.isEmpty && !archive.isScript)
    guard case .dict(let entries) = archive.value else { throw JSONProblem() }
    let read = Array(entries.dropFirst())
    #expect(
      read == [
        PickleEntry(key: .string("none"), value: .none), PickleEntry(key: .string("yes"), value: .bool(true)),
        PickleEntry(key: .string("größe"), value: .string("a\nb")), PickleEntry(key: .int(-7), value: .int(3)),
        PickleEntry(key: .string("long"), value: .int(-(1 << 40))),
        PickleEntry(key: .string("big"), value: .bigInt([0, 0, 0, 0, 0, 0, 0, 0, 64])),
        PickleEntry(key: .string("float"), value: .float(-0.1)),
        PickleEntry(key: .string("list"), value: .list([.int(1), .tuple([]), .tuple([.bool(false)])])),
        PickleEntry(key: .string("dict"), value: .dict([PickleEntry(key: .string("a"), value: .float(2))])),
      ])
    let found = try archive.state()
    #expect(found.name == "model" && found.entries.map(\.key) == ["w", "half", "none", "flags", "count"])
    #expect(found.entries.map(\.tensor.shape) == [[2, 3], [], [0, 5], [3], [1, 1]])
    #expect(found.entries.map(\.tensor.type) == [.float32, .bfloat16, .float64, .bool, .int64])
    try archive.read(found.entries.map(\.tensor)) { index, held in
      #expect(held == [bytes, [1, 2], [], [1, 0, 1], [9, 0, 0, 0, 0, 0, 0, 0]][index])
    }
    #expect(try TorchArchive.record("note.json", of: path) == Array("{}".utf8))
    #expect(try TorchArchive.record("other.json", of: path) == nil)
    // PyTorch maps files into memory: the bytes of a tensor begin at a multiple of 64.
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let place = try #require(whole.firstRange(of: bytes))
    #expect(place.lowerBound % 64 == 0)
    #expect(throws: FormatError.self) {
      try TorchWriter.write(tensor(.uint32, [1], [0, 0, 0, 0]), to: folder.path("other.pth"))
    }
    #expect(!FileSystem.exists(folder.path("other.pth")))
  }

  /// All that `torch.save` can put beside a state dict: plain data stays, what belongs to the weights before goes.
  @Test func theFrameOfACheckpoint() throws {
    let folder = try TemporaryFolder(), path = folder.path("m.pth")
    let weights = tensor(.float32, [1], [0, 0, 128, 63])
    try TorchWriter.write(
      .dict([
        (.string("epoch"), .int(3)),
        (
          .string("nets"),
          .dict([
            (.string("name"), .string("a")),
            (
              .string("state_dict"),
              .ordered([
                (.string("w"), weights), (.string("version"), .int(2)),
              ])
            ),
            (.string("ema"), .ordered([(.string("w"), weights)])),
          ])
        ),
        (.string("optimizer"), .dict([(.string("lr"), .float(1))])), (.string("lr_scheduler"), .none),
      ]), to: path)
    let archive = try TorchArchive(path)
    let frame = TorchFrame(archive, around: try archive.state("state_dict"))
    #expect(!frame.isModule)
    #expect(frame.dropped.filter(\.isStale).map(\.name) == ["optimizer", "lr_scheduler"])
    #expect(frame.dropped.filter { !$0.isStale }.map(\.name) == ["nets.ema"])
    let again = folder.path("again.pth")
    try TorchWriter.write(
      frame.filled(with: [("x", TorchTensor(type: .float32, shape: [1]) { [0, 0, 0, 0] })]), to: again)
    let value = try TorchArchive(again).value
    #expect(value["epoch"] == .int(3) && value["optimizer"] == nil && value["nets"]?["name"] == .string("a"))
    #expect(value["nets"]?["ema"] == nil && value["nets"]?["state_dict"]?["version"] == .int(2))
    #expect(value["nets"]?["state_dict"]?["w"] == nil && value["nets"]?["state_dict"]?["x"] != nil)
  }

  /// A whole module gives way to its state dict, where it lay.
  @Test func theFrameOfAModule() throws {
    let archive = try TorchArchive(TorchArchiveTests.path("module.pt"))
    let frame = TorchFrame(archive, around: try archive.state())
    #expect(frame.isModule)
    guard case .ordered(let entries) = frame.filled(with: []) else { throw JSONProblem() }
    #expect(entries.isEmpty)
  }

  private struct JSONProblem: Error {}
}
