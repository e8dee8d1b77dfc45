import Foundation
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// The zoo against PyTorch's definitions of the same networks; see Tests/Goldens/make_models.py.
@Suite("Models against PyTorch")
struct ModelGoldenTests {
  static let names = [
    "preact_resnet18", "resnet18", "resnet18_large", "resnet32", "vgg19", "vgg19_bn", "densenet121",
    "densenet121_small_stem", "small_cnn",
  ]

  struct Index: Decodable { let models: [String: Entry] }
  struct Entry: Decodable {
    let full: [String: Int]
    let small: [String: Int]
    let phase_offset: Double
    let train_shape: [Int]
    let parameters: Int
    let float64_deviation: [String: Double]
    let keys: [String]
    let shapes: [[Int]]
  }
  let index: [String: Entry]
  let goldens: Golden

  init() throws {
    index = try JSONDecoder().decode(
      Index.self, from: Data(contentsOf: URL(fileURLWithPath: Golden.file("models.json")))
    ).models
    goldens = try Golden("models")
  }

  static func make(_ name: String, _ size: [String: Int], classes: Int = 10) throws -> Classifier {
    let generator = Generator(seed: 1)
    let width = try #require(size["width"] ?? size["init"])
    switch name {
    case "preact_resnet18": return PreActResNet18(classes: classes, width: width, generator)
    case "resnet18": return ResNet18(classes: classes, width: width, generator)
    case "resnet18_large": return ResNet18(classes: classes, width: width, stem: .large, generator)
    case "resnet32": return ResNet32(classes: classes, width: width, generator)
    case "vgg19": return VGG19(classes: classes, width: width, hidden: size["hidden"], dropout: 0, generator)
    case "vgg19_bn":
      return VGG19(classes: classes, width: width, hidden: size["hidden"], batchNorm: true, dropout: 0, generator)
    case "densenet121": return DenseNet121(classes: classes, width: width, stem: .large, generator)
    case "densenet121_small_stem": return DenseNet121(classes: classes, width: width, generator)
    default: return SmallCNN(classes: classes, width: width, generator)
    }
  }

  private func filled(_ name: String) throws -> (model: Classifier, entry: Entry) {
    let entry = try #require(index[name])
    let model = try Self.make(name, entry.small)
    return (model.fillWithPattern(phaseOffset: entry.phase_offset), entry)
  }
  /// Twenty times what another order of float32 operations may cost.
  private func tolerance(_ entry: Entry, _ name: String) -> Double {
    max(1e-5, 20 * (entry.float64_deviation[name] ?? 0))
  }

  @Test("Keys, their order and shapes at full width", arguments: names)
  func keys(_ name: String) throws {
    let entry = try #require(index[name])
    // VGG19's hidden layers would take half a gigabyte; 32 units stand for them.
    let hidden = entry.full["hidden"]
    var size = entry.full
    if hidden != nil { size["hidden"] = 32 }
    let state = try Self.make(name, size).stateDict()
    #expect(state.keys == entry.keys)
    let shapes = zip(entry.keys, entry.shapes).map { key, shape in
      key.hasPrefix("classifier.") ? shape.map { $0 == hidden ? 32 : $0 } : shape
    }
    #expect(state.entries.map(\.tensor.shape) == shapes)
    #expect(
      state.entries.allSatisfy { $0.tensor.dtype == ($0.key.hasSuffix("num_batches_tracked") ? .int64 : .float32) })
  }

  @Test("Parameters at full width", arguments: names)
  func count(_ name: String) throws {
    let entry = try #require(index[name])
    guard entry.full["hidden"] == nil else { return }
    #expect(try Self.make(name, entry.full).parameterCount == entry.parameters)
  }

  @Test("The published parameter counts")
  func published() throws {
    #expect(ResNet32(classes: 10, Generator(seed: 0)).parameterCount == 464_154)
    #expect(ResNet18(classes: 1000, stem: .large, Generator(seed: 0)).parameterCount == 11_689_512)
    #expect(DenseNet121(classes: 1000, stem: .large, Generator(seed: 0)).parameterCount == 7_978_856)
    // 1000 classes for 10: 990 more rows of weights and biases.
    let vgg = try #require(index["vgg19"])
    let sizes = VGG19(classes: 10, width: 4, Generator(seed: 0)).parameters().map(\.shape)
    #expect(sizes.suffix(6).first == [256, 32 * 49])
    #expect(vgg.parameters + 990 * 4097 == 143_667_240)
  }

  @Test("Logits and penultimate activations in evaluation mode", arguments: names)
  func evaluation(_ name: String) throws {
    let (model, entry) = try filled(name)
    model.eval()
    let (logits, features) = noGrad { model.logitsAndFeatures(imagePattern([2, 3, 32, 32], 0.5)) }
    #expect(deviation(logits, try goldens.tensor("\(name)/logits")) < tolerance(entry, "logits"))
    #expect(deviation(features.penultimate, try goldens.tensor("\(name)/features")) < tolerance(entry, "features"))
  }

  @Test("Logits, gradient norms and running statistics in training mode", arguments: names)
  func training(_ name: String) throws {
    let (model, entry) = try filled(name)
    model.train()
    let logits = model(imagePattern(entry.train_shape, 0.5))
    #expect(deviation(logits, try goldens.tensor("\(name)/logits_train")) < tolerance(entry, "logits_train"))
    let found = gradients(of: F.crossEntropy(logits, Tensor([Int64(1), 3])), at: model.parameters())
    let norms = noGrad { Tensor.stacked(found.map { $0.norm() }) }
    #expect(deviation(norms, try goldens.tensor("\(name)/grad_norms")) < tolerance(entry, "grad_norms"))
    guard let running = goldens.tensorIfAny("\(name)/running") else { return }
    let sums = model.namedBuffers().filter { !$0.key.hasSuffix("num_batches_tracked") }.map {
      $0.tensor.to(.float64).sum().to(.float32)
    }
    #expect(deviation(Tensor.stacked(sums).reshaped(-1, 2), running) < tolerance(entry, "running"))
  }
}
