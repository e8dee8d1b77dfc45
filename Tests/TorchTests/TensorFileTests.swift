import Formats
import Foundation
import TestFiles
import TestSupport
import Testing

@testable import Torch

/// Tensors of PyTorch's files; the bytes are compared in FormatsTests.
@Suite struct TensorFileTests {
  private func path(_ name: String) -> String { Golden.file("torch/\(name)") }

  @Test func typesThatTensorsLackBecomeWider() throws {
    let file = try TensorFile.load(path("types.pt"))
    let numbers = [0.0, 1, 2.5, 3, 64, 120]
    for (key, tensor) in file.contents.tensors {
      let values = tensor.to(.float64).array(Double.self)
      switch key {
      case "bool": #expect(values == [0, 1, 1, 1, 1, 1])
      case "complex64", "complex128": #expect(tensor.shape == [2, 3, 2] && values == numbers.flatMap { [$0, 0] })
      case "float8_e5m2": #expect(tensor.dtype == .float32 && values == [0, 1, 2.5, 3, 64, 128])
      case _ where key.contains("float"): #expect(values == numbers, "\(key)")
      default: #expect(values == numbers.map { $0.rounded(.down) }, "\(key)")
      }
    }
    #expect(file.contents["uint16"]?.dtype == .int32 && file.contents["uint64"]?.dtype == .int64)
    #expect(file.notes.contains { $0.contains("uint32 to int64") })
  }

  @Test func eightBitFloats() {
    #expect(TensorFile.float8(0x01, 3) == 0x1p-9 && TensorFile.float8(0xfe, 3) == -448)
    #expect(TensorFile.float8(0x7f, 3).isNaN && TensorFile.float8(0x7c, 2) == .infinity)
    #expect(TensorFile.float8(0x7b, 2) == 57344 && TensorFile.float8(0x01, 2) == 0x1p-16)
  }

  /// What antidote wrote beside the pickle is used or refused, never passed over.
  @Test(arguments: [
    ("{\"antidote.model\": ", "is no JSON"), ("[1]", "is a list, no group of texts"),
    (
      "{\"format\": \"pt\", \"antidote.model\": {\"kind\": \"cnn\"}}",
      "has under 'antidote.model' a group of settings, no text"
    ),
  ]) func damagedRecord(_ record: String, words: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("m.pth")
    let tensor = TorchTensor(type: .float32, shape: [1]) { [0, 0, 0, 0] }
    try TorchWriter.write(
      .ordered([(.string("w"), .tensor(tensor))]), records: [("antidote.json", Array(record.utf8))], to: path)
    let reads: [() throws -> Void] = [{ _ = try TensorFile.metadata(of: path) }, { _ = try TensorFile.load(path) }]
    for read in reads {
      let error = #expect(throws: FormatError.self) { try read() }
      let text = error?.description ?? ""
      #expect(text.hasPrefix("\(path): its record antidote.json") && text.contains(words), "\(text)")
    }
    try TorchWriter.write(
      .ordered([(.string("w"), .tensor(tensor))]), records: [("antidote.json", Array("{\"a\": \"b\"}".utf8))],
      to: folder.path("whole.pth"))
    #expect(try TensorFile.load(folder.path("whole.pth")).contents.metadata == ["a": "b"])
  }

  @Test func notesSayWhatWasFound() throws {
    #expect(try TensorFile.load(path("checkpoint.tar")).notes == ["the state dict is the one under 'state_dict'"])
    #expect(try TensorFile.load(path("module.pt")).notes.first?.contains("class __main__.Net") == true)
    #expect(try TensorFile.load(path("script.pt")).notes.first?.contains("TorchScript") == true)
    #expect(try TensorFile.load(path("checkpoint.tar"), key: "ema").contents["head.bias"]?.shape == [3])
    #expect(try TensorFile.outline(path("networks.pt")).entries.map(\.key).contains("head.weight"))
    #expect(throws: (any Error).self) { try TensorFile.load(Golden.file("io.safetensors"), key: "a") }
  }
}
