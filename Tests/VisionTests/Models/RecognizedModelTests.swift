import Foundation
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// Architectures by keys and shapes. The originals' keys and shapes are in models.json, made with PyTorch.
@Suite struct RecognizedModelTests {
  struct Index: Decodable { let models: [String: Entry] }
  struct Entry: Decodable {
    let full: [String: Int]
    let keys: [String]
    let shapes: [[Int]]
  }
  private let models: [String: Entry]

  init() throws {
    models = try JSONDecoder().decode(
      Index.self, from: Data(contentsOf: URL(fileURLWithPath: Golden.file("models.json")))
    ).models
  }

  private func entries(_ name: String) throws -> [(key: String, shape: Shape)] {
    let entry = try #require(models[name])
    return zip(entry.keys, entry.shapes).map { ($0, $1) }
  }

  @Test(arguments: [
    ("preact_resnet18", "preactresnet18", Stem?.none), ("resnet18", "resnet18", .small),
    ("resnet18_large", "resnet18", .large), ("resnet32", "resnet32", nil), ("vgg19", "vgg19", nil),
    ("vgg19_bn", "vgg19_bn", nil), ("densenet121", "densenet121", .large),
    ("densenet121_small_stem", "densenet121", .small), ("small_cnn", "cnn", nil),
  ])
  func theZoo(_ golden: String, _ kind: String, _ stem: Stem?) throws {
    for prefix in ["", "_orig_mod.module."] {
      let found = try RecognizedModel(try entries(golden).map { (prefix + $0.key, $0.shape) }, path: "m.pt")
      #expect(found.kind == kind && found.shape.stem == stem && found.naming.prefix == prefix)
      #expect(found.shape.width == (try ModelKind.named(kind).defaultWidth))
      #expect(found.shape.classes == 10 && found.shape.channels == 3)
      #expect(found.description.contains("\(kind) of width \(found.shape.width): 10 classes, 3 image channels"))
    }
  }

  private func renamed(_ golden: String, _ words: [(String, String)]) throws -> [(key: String, shape: Shape)] {
    try entries(golden).map { entry in
      (words.reduce(entry.key) { $0.replacingOccurrences(of: $1.0, with: $1.1) }, entry.shape)
    }
  }

  /// A training checkpoint holds more than the network: the error says which keys are the network's, and how to leave
  /// the others out.
  @Test func whatStandsBesideTheNetworkIsNamed() throws {
    let own = try entries("resnet18").map { (key: "model." + $0.key, shape: $0.shape) }
    let all = own + [(key: "criterion.weight", shape: [10]), (key: "val_acc.tp", shape: [])]
    let error = #expect(throws: ModelFileError.self) { try RecognizedModel(all, path: "m.ckpt") }
    let text = error?.description ?? ""
    #expect(
      text.contains("m.ckpt: the keys that begin with \"model.\" are those of resnet18; beside them stand 2 others"))
    #expect(text.hasSuffix("--ignore criterion.weight --ignore val_acc.tp"), "\(text)")
    // Where the rest is no network either, that is what the error says.
    let neither = #expect(throws: ModelFileError.self) {
      try RecognizedModel(
        all.map { ($0.key.replacingOccurrences(of: "conv", with: "other"), $0.shape) }, path: "m.ckpt")
    }
    #expect(
      neither?.description.contains("not known") == true || neither?.description.contains("no architecture") == true)
  }

  @Test func theNamesOfOtherCode() throws {
    // TorchVision's names on a 3x3 stem, CIFAR code's on a 7x7 one.
    let small = try RecognizedModel(renamed("resnet18", [("shortcut", "downsample"), ("linear", "fc")]), path: "m")
    #expect(small.kind == "resnet18" && small.shape.stem == .small && small.description.contains("TorchVision's names"))
    #expect(small.naming.key("layer2.0.downsample.0.weight") == "layer2.0.shortcut.0.weight")
    #expect(small.naming.key("fc.bias") == "linear.bias")
    let large = try RecognizedModel(
      renamed("resnet18_large", [("downsample", "shortcut"), ("fc", "linear")]), path: "m")
    #expect(large.kind == "resnet18" && large.shape.stem == .large && large.naming.key("linear.bias") == "fc.bias")
    // timm's VGG has convolutions in place of the first two linear layers.
    let vgg = try entries("vgg19_bn").map { entry -> (key: String, shape: Shape) in
      let key = entry.key.replacingOccurrences(of: "classifier.0", with: "pre_logits.fc1")
        .replacingOccurrences(of: "classifier.3", with: "pre_logits.fc2")
        .replacingOccurrences(of: "classifier.6", with: "head.fc")
      let side = key.hasPrefix("pre_logits.fc1.w") ? 7 : 1
      return (
        key,
        key.hasPrefix("pre_logits") && entry.shape.count == 2
          ? [entry.shape[0], entry.shape[1] / side / side, side, side] : entry.shape
      )
    }
    let timm = try RecognizedModel(vgg, path: "m")
    #expect(timm.kind == "vgg19_bn" && timm.shape.width == 64 && timm.naming.hasConvolutionalHead)
  }

  @Test func widthClassesAndChannelsShow() throws {
    for id in ModelKind.all.map(\.id) {
      let kind = try ModelKind.named(id)
      var shape = ModelShape(classes: 7, width: 3 * kind.widthStep, channels: 1)
      // Heads follow from published widths alone, and several widths have the same rounded channels.
      if id.hasPrefix("vit") { (shape.width, shape.depth, shape.patch) = (kind.defaultWidth, 1, 8) }
      if ["mobilenet_v2", "efficientnet_b0"].contains(id) { shape.width = 24 }
      let model = kind.make(shape, Generator(seed: 0))
      let found = try RecognizedModel(model.stateDict().entries.map { ($0.key, $0.tensor.shape) }, path: "m")
      #expect(found.kind == id && found.shape.width == shape.width && found.shape.classes == 7, "\(id)")
      #expect(found.shape.channels == 1)
    }
  }

  private func zoo(_ name: String) throws -> [(key: String, shape: Shape)] {
    let zoo = try Golden("zoo").settings
    let list = name.contains(" ") ? zoo["others"][name] : zoo["models"][name]["state"]
    return try list.list().map { line in
      let words = try #require(line.string).split(separator: " ")
      return (String(words[0]), words[1].split(separator: "x").compactMap { Int($0) })
    }
  }

  @Test(arguments: [
    ("resnet34", "resnet34 of width 64: 10 classes, 3 image channels, 7x7 stem"),
    ("resnet50", "resnet50 of width 64: 10 classes, 3 image channels, 7x7 stem"),
    ("wideresnet", "wideresnet of width 16, depth 28, widen factor 10: 10 classes"),
    ("vgg_cifar", "vgg_cifar of width 64, depth 19: 10 classes"), ("densenet_cifar", "densenet_cifar of width 24: 10"),
    ("mobilenet_v2", "mobilenet_v2 of width 32: 10 classes, 3 image channels (the zoo's names"),
    ("efficientnet_b0", "efficientnet_b0 of width 32: 10 classes"),
    ("convnext_tiny", "convnext_tiny of width 96: 10 classes, 3 image channels, 4x4 stem"),
    ("vit", "vit_tiny of width 192, depth 12, patches of 16 pixels, images of 224, 3 heads (usual"),
    ("timm mobilenet_v2", "mobilenet_v2 of width 32: 10 classes, 3 image channels (timm's names"),
    ("timm efficientnet_b0", "efficientnet_b0 of width 32: 10 classes, 3 image channels (timm's names"),
    ("timm convnext_tiny", "convnext_tiny of width 96: 10 classes, 3 image channels, 4x4 stem (timm's names"),
    ("torchvision vit_base", "vit_base of width 768, depth 12, patches of 16 pixels, images of 224, 12 heads (usual"),
  ])
  func modelsOfTorchVisionAndTimm(_ golden: String, _ words: String) throws {
    let entries = try zoo(golden)
    for prefix in ["", "module."] {
      let found = try RecognizedModel(entries.map { (prefix + $0.key, $0.shape) }, path: "m")
      #expect(found.description.hasPrefix(words), "\(found.description)")
      #expect(found.naming.prefix == prefix)
    }
  }

  /// timm registers the layers of these networks in TorchVision's order, so that the lists show which entry is which.
  @Test(arguments: ["mobilenet_v2", "efficientnet_b0", "convnext_tiny"])
  func timmsEntriesAreTorchVisions(_ name: String) throws {
    let (foreign, own) = (try zoo("timm \(name)"), try zoo(name))
    let naming = try RecognizedModel(foreign, path: "m").naming
    #expect(foreign.map { naming.key($0.key) } == own.map(\.key))
    let tensors = foreign.filter { $0.shape.count == 1 }.map { (key: $0.key, tensor: Tensor.zeros($0.shape)) }
    let shapes = Dictionary(uniqueKeysWithValues: own.map { ($0.key, $0.shape) })
    for entry in naming.applied(to: tensors) { #expect(entry.tensor.shape == shapes[entry.key], "\(entry.key)") }
  }

  @Test func transformersOfTorchVision() throws {
    let naming = try RecognizedModel(zoo("torchvision vit_base"), path: "m").naming
    #expect(Set(try zoo("torchvision vit_base").map { naming.key($0.key) }) == Set(try zoo("vit").map(\.key)))
    #expect(naming.key("encoder.layers.encoder_layer_3.mlp.3.bias") == "blocks.3.mlp.fc2.bias")
    #expect(naming.key("encoder.layers.encoder_layer_3.self_attention.in_proj_bias") == "blocks.3.attn.qkv.bias")
    #expect(naming.key("encoder.layers.encoder_layer_3.ln_2.bias") == "blocks.3.norm2.bias")
  }

  @Test func headsThatNobodyPublished() throws {
    func entries(_ width: Int) throws -> [(key: String, shape: Shape)] {
      var shape = ModelShape(classes: 2, width: width)
      (shape.depth, shape.heads) = (1, 1)
      return try ModelSpec(kind: "vit_tiny", shape: shape).make(Generator(seed: 0)).stateDict().entries.map {
        ($0.key, $0.tensor.shape)
      }
    }
    #expect(try RecognizedModel(entries(128), path: "m").shape.heads == 2)
    let error = #expect(throws: ModelFileError.self) { try RecognizedModel(entries(100), path: "m.pt") }
    #expect(error?.description.contains("how many heads its attention has does not show") == true)
    let given = try RecognizedModel(entries(100), path: "m", heads: 5)
    #expect(given.shape.heads == 5 && given.description.contains("5 heads: 2 classes"))
    let odd = #expect(throws: ModelFileError.self) { try RecognizedModel(entries(100), path: "m", heads: 3) }
    #expect(odd?.description.contains("numbers that divide its width 100") == true)
  }

  @Test func widthsThatAreRounded() throws {
    // 32 and 36 have the same first convolution.
    for width in [32, 36] {
      let model = MobileNetV2(classes: 2, width: width, Generator(seed: 0))
      let found = try RecognizedModel(model.stateDict().entries.map { ($0.key, $0.tensor.shape) }, path: "m")
      let again = MobileNetV2(classes: 2, width: found.shape.width, Generator(seed: 0))
      #expect(again.stateDict().entries.map(\.tensor.shape) == model.stateDict().entries.map(\.tensor.shape))
    }
  }

  @Test func theNearestIsNamed() throws {
    let other = try entries("resnet18").filter { !$0.key.hasPrefix("layer4.1") } + [("extra.weight", [3])]
    let error = #expect(throws: ModelFileError.self) { try RecognizedModel(other, path: "m.pt") }?.description ?? ""
    #expect(error.contains("m.pt: the architecture is not known. The nearest is resnet18:"))
    #expect(error.contains("it lacks keys of it (10): layer4.1.bn1.bias"))
    #expect(error.contains("it has others (1): extra.weight"))
    let none = #expect(throws: ModelFileError.self) { try RecognizedModel([("a", [1])], path: "m.pt") }
    #expect(none?.description.contains("no architecture that is known here") == true)
  }

  /// A file of TorchVision's names gives the logits of the model that it was made from.
  @Test func aForeignFileOpens() throws {
    let folder = try TemporaryFolder()
    let model = try ModelSpec(kind: "resnet18", shape: ModelShape(classes: 3, width: 2)).make(Generator(seed: 1)).eval()
    let path = folder.path("m.safetensors")
    try Safetensors.save(
      model.stateDict().entries.map { entry in
        let key = entry.key.replacingOccurrences(of: "shortcut", with: "downsample")
          .replacingOccurrences(of: "linear", with: "fc")
        return ("module.\(key)", entry.tensor)
      }, to: path)
    let found = try RecognizedModel(TensorFile.outline(path).entries, path: path)
    var options = ModelFileOptions()
    options.naming = found.naming
    let copy = try Classifier.open(path, as: ModelSpec(kind: found.kind, shape: found.shape), options: options).eval()
    let x = Generator(seed: 5).uniform([2, 3, 32, 32])
    expectSame(noGrad { copy(x) }, noGrad { model(x) }, "logits")
  }
}
