import Files
import Foundation
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// What is in exported files. Tests/Goldens/compare_export.py compares their outputs in onnxruntime and PyTorch.
@Suite struct ModelExportTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func exported(_ model: Classifier) throws -> ONNXReader {
    let path = folder.path("m.onnx")
    try model.export(.onnx, to: path)
    return try ONNXReader([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
  }

  private static func small(_ id: String) throws -> Classifier {
    let model = try ModelZooTests.small(id, 3, 16, normalization: .cifar10).fillWithPattern(noisy: true)
    return model
  }

  @Test(arguments: ModelZooTests.architectures) func everyModelIsAGraphOfKnownOperators(_ id: String) throws {
    let model = try Self.small(id)
    model.classNames = ["a", "b", "c", "d", "e"]
    let file = try exported(model)
    #expect(model.isTraining)
    #expect(file.operators == 17)
    #expect(file.values == ["images": [0, 3, 16, 16], "logits": [0, 5]])
    #expect(file.metadata["classes"] == #"["a","b","c","d","e"]"#)
    // Each value is there before it is read.
    var known = Set(file.constants.keys).union(["images", ""])
    for node in file.nodes {
      #expect(node.inputs.allSatisfy(known.contains), "\(node)")
      known.formUnion(node.outputs)
    }
    #expect(file.nodes.last?.outputs == ["logits"])
    // Weights under their names, with their values; nothing else is as large.
    for (key, tensor) in model.stateDict().entries where !key.hasSuffix("num_batches_tracked") {
      let constant = try #require(file.constants[key], "\(key)")
      #expect(constant.shape == tensor.shape && constant.kind == 1)
      #expect(tensor.contiguous().withBytes { Array($0) } == constant.bytes, "\(key)")
    }
    // The normaliser: pixels come into a multiplication first.
    #expect(file.nodes.first?.operation == "Mul" && file.nodes.first?.inputs.first == "images")
    // No number of images stands in a new shape.
    for node in file.nodes where node.operation == "Reshape" {
      let shape = try #require(file.constants[node.inputs[1]]).bytes.withUnsafeBytes {
        Array($0.bindMemory(to: Int64.self))
      }
      #expect([0, 1].contains(shape.first))
    }
  }

  @Test func operatorsOfASmallModel() throws {
    let file = try exported(try Self.small("cnn"))
    let expected = [
      "Mul", "Add", "Conv", "BatchNormalization", "Relu", "MaxPool", "Conv", "BatchNormalization", "Relu", "MaxPool",
      "Conv", "BatchNormalization", "Relu", "GlobalAveragePool", "Reshape", "Gemm", "Identity",
    ]
    #expect(file.nodes.map(\.operation) == expected)
    let convolution = try #require(file.nodes.first { $0.operation == "Conv" })
    #expect(convolution.inputs.dropFirst() == ["conv1.weight", "conv1.bias"])
    #expect(convolution.attributes["pads"] == [1, 1, 1, 1] && convolution.attributes["kernel_shape"] == [3, 3])
    #expect(file.nodes.first { $0.operation == "MaxPool" }?.attributes["strides"] == [2, 2])
  }

  @Test func guardsAndGroupsAreInTheGraph() throws {
    let model = try Self.small("cnn")
    model.shrinkPad = ShrinkPad(share: 0.25)
    model.normalizeGroups(2)
    let file = try exported(model)
    #expect(file.nodes.prefix(3).map(\.operation) == ["MatMul", "MatMul", "Pad"])
    #expect(file.nodes.count { $0.operation == "InstanceNormalization" } == 3)
    model.shrinkPad = ShrinkPad(share: 0.25, seed: 3)
    let error = #expect(throws: ModelExportError.self) { try model.export(.onnx, to: folder.path("x")) }
    #expect(error?.description.contains("by chance") == true)
    #expect(!FileSystem.exists(folder.path("x")))
  }

  /// PyTorch's own format, read by our reader.
  @Test(arguments: ["resnet50", "vit_tiny"]) func torchScriptHoldsTheStateDict(_ id: String) throws {
    let model = try Self.small(id)
    let path = folder.path("m.pt")
    try model.export(.torchscript, to: path)
    let found = Dictionary(
      uniqueKeysWithValues: try TensorFile.load(path).contents.tensors.map { ($0.key, $0.tensor) })
    let own = model.stateDict().entries
    #expect(Set(found.keys) == Set(own.map(\.key)))
    for (key, tensor) in own { if let value = found[key] { expectSame(value, tensor, key) } }
  }
}
