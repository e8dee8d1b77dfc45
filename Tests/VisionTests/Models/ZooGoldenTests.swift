import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// The zoo against TorchVision's and timm's own code; see Tests/Goldens/make_zoo.py.
@Suite("Models against TorchVision and timm")
struct ZooGoldenTests {
  static let names = [
    "resnet34", "resnet50", "resnet50_small", "wideresnet", "vgg_cifar", "densenet_cifar", "mobilenet_v2",
    "mobilenet_v2_small", "efficientnet_b0", "efficientnet_b0_small", "convnext_tiny", "convnext_tiny_small", "vit",
  ]
  let goldens: Golden
  init() throws { goldens = try Golden("zoo") }

  static func make(_ name: String, _ size: JSON) throws -> Classifier {
    let generator = Generator(seed: 1)
    let width = try #require(size["width"].int)
    let stem: Stem = name.hasSuffix("_small") ? .small : .large
    switch name.replacing("_small", with: "") {
    case "resnet34": return ResNet34(classes: 10, width: width, stem: stem, generator)
    case "resnet50": return ResNet50(classes: 10, width: width, stem: stem, generator)
    case "wideresnet":
      return WideResNet(
        classes: 10, width: width, depth: try #require(size["depth"].int), widen: try #require(size["widen"].int),
        generator)
    case "vgg_cifar": return CIFARVGG(classes: 10, width: width, depth: try #require(size["depth"].int), generator)
    case "densenet_cifar": return CIFARDenseNet(classes: 10, width: width, generator)
    case "mobilenet_v2": return MobileNetV2(classes: 10, width: width, stem: stem, dropout: 0, generator)
    case "efficientnet_b0":
      return EfficientNetB0(classes: 10, width: width, stem: stem, dropout: 0, stochasticDepth: 0, generator)
    case "convnext_tiny": return ConvNeXtTiny(classes: 10, width: width, stem: stem, stochasticDepth: 0, generator)
    default:
      return VisionTransformer(
        classes: 10, width: width, depth: try #require(size["depth"].int), heads: try #require(size["heads"].int),
        patch: try #require(size["patch"].int), imageSize: try #require(size["size"].int), generator)
    }
  }

  @Test("Logits in evaluation mode; logits and gradient norms in training mode", arguments: names)
  func agrees(_ name: String) throws {
    let entry = goldens.settings["models"][name]
    let side = try #require(entry["size"].int)
    let model = try Self.make(name, entry["small"]).fillWithPattern(noisy: true)
    // Twenty times what another order of float32 operations may cost.
    func tolerance(_ key: String) -> Double { max(1e-5, 20 * (entry["float64_deviation"][key].double ?? 0)) }
    let x = imagePattern([2, 3, side, side], 0.5)
    model.eval()
    expectClose(
      noGrad { model(x) }, try goldens.tensor("\(name)/logits"), tolerance: tolerance("logits"), "logits")
    model.train()
    let logits = model(x)
    expectClose(
      logits, try goldens.tensor("\(name)/logits_train"), tolerance: tolerance("logits_train"), "logits_train")
    let found = gradients(of: F.crossEntropy(logits, Tensor([Int64(1), 3])), at: model.parameters())
    let norms = noGrad { Tensor.stacked(found.map { $0.norm() }) }
    expectClose(
      norms, try goldens.tensor("\(name)/grad_norms"), tolerance: tolerance("grad_norms"), "grad_norms")
  }

  /// The names of the entries of a published network, and how many parameters it has.
  @Test(
    "Keys and their order, and the count of parameters at full width",
    arguments: [
      "resnet34", "resnet50", "wideresnet", "vgg_cifar", "densenet_cifar", "mobilenet_v2", "efficientnet_b0",
      "convnext_tiny", "vit",
    ])
  func keys(_ name: String) throws {
    let entry = goldens.settings["models"][name]
    let kind = try ModelKind.named(name == "vit" ? "vit_tiny" : name)
    var shape = ModelShape(classes: 10, width: kind.defaultWidth, imageSize: 224)
    #expect(kind.parameterCount(shape) == entry["parameters"].double)
    shape.width = kind.widthStep
    let keys = kind.make(shape, Generator(seed: 0)).stateDict().keys.filter { !$0.hasSuffix("num_batches_tracked") }
    #expect(keys == (try entry["state"].list().compactMap { $0.string?.split(separator: " ").first.map(String.init) }))
  }
}
