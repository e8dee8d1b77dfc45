import Files
import Foundation
import Support
import TestFiles
import Testing
import Torch
import TorchNN

@testable import Vision

/// Model files that come from anywhere.
@Suite struct ModelFileTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func model(classes: Int = 3) throws -> Classifier {
    try ModelSpec(kind: "cnn", shape: ModelShape(classes: classes, width: 4, imageSize: 28)).make(Generator(seed: 1))
  }

  @Test func classNamesTravel() throws {
    let model = try model()
    model.classNames = ["cat", "dog", "a/\"b"]
    try model.save(folder.path("m"))
    #expect(try Classifier.open(folder.path("m")).classNames == ["cat", "dog", "a/\"b"])
    #expect(try model.copied().classNames == model.classNames)
    try Safetensors.save(
      model.stateDict().entries, metadata: ["antidote.classes": #"["cat"]"#], to: folder.path("short"))
    let error = #expect(throws: ModelFileError.self) { _ = try self.model().loading(folder.path("short")) }
    #expect(error?.description.contains("no list of the 3 class names") == true)
  }

  @Test func brokenValuesAreRefused() throws {
    let model = try model()
    let entries = model.stateDict().entries.map { key, tensor in
      (key: key, tensor: key == "bn2.running_var" ? tensor * -1 : key == "linear.bias" ? tensor * Double.nan : tensor)
    }
    try Safetensors.save(
      entries, metadata: ["antidote.model": JSONValue(encoding: model.spec).compactJSON], to: folder.path("m"))
    let text = #expect(throws: ModelFileError.self) { _ = try Classifier.open(folder.path("m")) }?.description ?? ""
    #expect(
      text.contains("bn2.running_var: 8 of 8 variances are negative")
        && text.contains("linear.bias: 3 of 3 values are NaN"))
  }

  @Test(arguments: ModelKind.all.map(\.id), [1, 3])
  func theCountOfParametersIsKnownWithoutTheModel(_ id: String, _ channels: Int) throws {
    let kind = try ModelKind.named(id)
    for (width, classes, size) in [(1, 10, 32), (4, 3, 32), (5, 43, 112)] {
      let shape = ModelShape(classes: classes, width: width * kind.widthStep, channels: channels, imageSize: size)
      #expect(
        kind.parameterCount(shape) == Double(kind.make(shape, Generator(seed: 0)).parameterCount), "\(id) \(shape)")
    }
  }

  /// Metadata that asks for more than the tensors hold costs nothing.
  @Test(arguments: [
    #""classes":30000000,"width":4"#, #""classes":1000000000000,"width":4"#, #""classes":3,"width":10000000"#,
    #""classes":9223372036854775807,"width":9223372036854775807"#, #""classes":-3,"width":4"#,
    #""classes":3,"width":0"#,
  ])
  func metadataThatLies(_ claim: String) throws {
    let spec =
      #"{"kind":"cnn","shape":{"channels":3,"imageSize":28,"normalization":{"mean":[],"standardDeviation":[]},"# + claim
      + "}}"
    // A tensor without elements may have any shape.
    let tensors = try model().stateDict().entries + [(key: "x", tensor: Tensor.zeros([30_000_000, 0]))]
    try Safetensors.save(tensors, metadata: ["antidote.model": spec], to: folder.path("m"))
    let start = Date()
    let error = #expect(throws: ModelFileError.self) { _ = try Classifier.open(folder.path("m")) }
    #expect(error?.description.contains("does not fit its tensors") == true)
    #expect(Date().timeIntervalSince(start) < 1)
  }
}
