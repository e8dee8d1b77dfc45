import Files
import Formats
import Foundation
import TestFiles
import Testing

/// Files of PyTorch, made by `Tests/Goldens/make_torch_files.py`.
@Suite struct TorchArchiveTests {
  struct Case: Decodable {
    var states: [String: [Entry]]?
    var script: Bool?
    var chosen: String?
    var error: String?
    var refused: String?
  }
  struct Entry: Decodable {
    let key: String
    let type: String
    let shape: [Int]
    let hex: String

    init(from decoder: any Decoder) throws {
      var fields = try decoder.unkeyedContainer()
      key = try fields.decode(String.self)
      type = try fields.decode(String.self)
      shape = try fields.decode([Int].self)
      hex = try fields.decode(String.self)
    }
  }

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Goldens")
  static let cases: [String: Case] = {
    (try? JSONDecoder().decode(
      [String: Case].self, from: Data(contentsOf: folder.appendingPathComponent("torch_files.json")))) ?? [:]
  }()
  static func path(_ name: String) -> String { folder.appendingPathComponent("torch/\(name)").path }
  static let good = cases.filter { $0.value.refused == nil }.keys.sorted()
  static let hostile = cases.filter { $0.value.refused != nil }.keys.sorted()

  @Test func theCorpusIsThere() { #expect(Self.good.count > 15 && Self.hostile.count > 20) }

  @Test(arguments: good) func tensorsAreThoseOfPyTorch(_ name: String) throws {
    let expected = try #require(Self.cases[name])
    let archive = try TorchArchive(Self.path(name))
    let states = archive.states
    #expect(Set(states.map(\.name)) == Set((expected.states ?? [:]).keys))
    #expect(archive.isScript == (expected.script ?? false))
    for state in states {
      let entries = try #require(expected.states?[state.name])
      #expect(state.entries.map(\.key) == entries.map(\.key))
      var found: [Int: [UInt8]] = [:]
      try archive.read(state.entries.map(\.tensor)) { found[$0] = $1 }
      for (index, entry) in entries.enumerated() {
        let tensor = state.entries[index].tensor
        #expect(tensor.type.description == entry.type && tensor.shape == entry.shape, "\(entry.key)")
        let hex = (found[index] ?? []).map { String(format: "%02x", $0) }.joined()
        #expect(hex == entry.hex, "\(entry.key)")
      }
    }
    if let error = expected.error {
      #expect(message { _ = try archive.state() }.contains(error))
    } else {
      #expect(try archive.state().name == expected.chosen ?? states.map(\.name).first)
    }
  }

  @Test(arguments: hostile) func hostileFilesAreRefused(_ name: String) throws {
    let start = ContinuousClock.now
    let text = message {
      let archive = try TorchArchive(Self.path(name))
      try archive.read(try archive.state().entries.map(\.tensor)) { _, _ in }
    }
    #expect(text.contains(Self.cases[name]?.refused ?? "?"), "\(text)")
    #expect(text.contains(name))
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func oneOfSeveralIsChosenByItsKey() throws {
    let archive = try TorchArchive(Self.path("several.pt"))
    #expect(try archive.state("student").name == "student")
    #expect(message { _ = try archive.state("nobody") }.contains("no state dict under 'nobody'; there is: teacher"))
    // A moving average is taken on request alone.
    let checkpoint = try TorchArchive(Self.path("checkpoint.tar"))
    #expect(try checkpoint.state().name == "state_dict")
    #expect(try checkpoint.state("ema").name == "ema")
  }

  @Test func unknownClassesAreNamedNotUsed() throws {
    let archive = try TorchArchive(Self.path("module.pt"))
    #expect(archive.calls.contains(PickleGlobal("__main__", "Net")))
    #expect(try archive.state().module == PickleGlobal("__main__", "Net"))
    #expect(try TorchArchive(Self.path("views.pt")).calls.isEmpty)
    let value = try TorchArchive(Self.path("checkpoint.tar")).value
    #expect(value["epoch"] == .int(7) && value["best"] == .float(0.5) && value["curve"]?.array?.floats == [0, 1, 2])
    #expect(value["size"]?.integers == [1, 2])
  }

  @Test func otherFilesAreNamed() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write("a.pt", "hello")
    #expect(message { _ = try TorchArchive(text) }.contains("begins neither as a zip archive nor as the pickles"))
    let tar = try folder.write("b.tar", [UInt8](repeating: 0, count: 257) + Array("ustar".utf8) + [0, 0, 0])
    #expect(message { _ = try TorchArchive(tar) }.contains("PyTorch 0.1"))
  }
}
