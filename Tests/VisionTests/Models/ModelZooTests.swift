import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@Suite("Model zoo")
struct ModelZooTests {
  static let ids = [
    "preactresnet18", "resnet18", "resnet34", "resnet50", "wideresnet", "resnet32", "vgg19", "vgg19_bn", "vgg_cifar",
    "densenet121", "densenet_cifar", "mobilenet_v2", "efficientnet_b0", "convnext_tiny", "vit_tiny", "vit_small",
    "vit_base", "cnn",
  ]
  /// One of each class.
  static let architectures = ids.filter { $0 != "vit_small" && $0 != "vit_base" }

  static func small(_ id: String, _ channels: Int = 3, _ size: Int = 32, normalization: Normalization = .none) throws
    -> Classifier
  {
    let kind = try ModelKind.named(id)
    var shape = ModelShape(
      classes: 5, width: kind.defaultWidth / 8, channels: channels, imageSize: size, normalization: normalization)
    switch id {
    case "resnet50", "densenet_cifar", "convnext_tiny": shape.width = 4
    case "wideresnet": (shape.depth, shape.widen) = (10, 2)
    case "vgg_cifar": (shape.width, shape.depth) = (4, 11)
    case "vit_tiny": (shape.width, shape.depth) = (12, 2)
    default: break
    }
    try kind.check(shape)
    return kind.make(shape, Generator(seed: 3))
  }

  @Test("The zoo's names")
  func rows() {
    #expect(ModelKind.all.map(\.id) == Self.ids)
  }

  @Test("An unknown name gets the nearest one and the list")
  func unknown() throws {
    let error = #expect(throws: (any Error).self) { try ModelKind.named("ResNet-18") }
    let message = error.map { "\($0)" } ?? ""
    #expect(message.contains("unknown model \"ResNet-18\"") && message.contains("Did you mean resnet18"))
    #expect(message.contains(Self.ids.joined(separator: ", ")))
  }

  @Test("A model's description builds it again", arguments: architectures)
  func specs(_ id: String) throws {
    let model = try Self.small(id, 1, 112, normalization: .halfGray).eval()
    let spec = try #require(model.spec)
    #expect(
      spec.kind == id && spec.shape.imageSize == 112 && spec.shape.channels == 1
        && spec.shape.normalization == .halfGray)
    let copy = try model.copied()
    let x = Generator(seed: 5).uniform([1, 1, 112, 112])
    #expect(deviation(noGrad { copy(x) }, noGrad { model(x) }) == 0)
  }

  @Test("So does the description of a model made by its own initialiser")
  func ownSpecs() throws {
    let generator = Generator(seed: 0)
    let models: [Classifier] = [
      PreActResNet18(classes: 4, width: 4, generator), ResNet18(classes: 4, width: 4, generator),
      ResNet18(classes: 4, width: 4, stem: .large, generator), ResNet32(classes: 4, width: 4, generator),
      VGG19(classes: 4, width: 4, generator), VGG19(classes: 4, width: 4, batchNorm: true, generator),
      DenseNet121(classes: 4, width: 8, generator), DenseNet121(classes: 4, width: 8, stem: .large, generator),
      SmallCNN(classes: 4, width: 4, generator), ResNet34(classes: 4, width: 2, generator),
      ResNet50(classes: 4, width: 2, stem: .large, generator),
      WideResNet(classes: 4, width: 2, depth: 16, widen: 3, generator),
      CIFARVGG(classes: 4, width: 2, depth: 13, generator), CIFARDenseNet(classes: 4, width: 4, generator),
      MobileNetV2(classes: 4, width: 8, generator), EfficientNetB0(classes: 4, width: 8, stem: .large, generator),
      ConvNeXtTiny(classes: 4, width: 2, stem: .large, generator),
      VisionTransformer(
        classes: 4, width: 8, depth: 3, heads: 2, patch: 8, imageSize: 16, generator),
    ]
    for model in models { #expect(try model.copied().stateDict().keys == model.stateDict().keys) }
    #expect(VGG19(classes: 4, width: 4, hidden: 10, generator).spec == nil)
  }

  @Test("A copy keeps every argument of its model's initialiser")
  func copies() throws {
    let generator = Generator(seed: 4)
    let shift = Normalization(mean: [0.4, 0.3, 0.2], standardDeviation: [0.6, 0.5, 0.4])
    let models: [(model: Classifier, side: Int, channels: Int)] = [
      (PreActResNet18(classes: 3, width: 6, channels: 1, normalization: .halfGray, generator), 32, 1),
      (ResNet18(classes: 3, width: 6, channels: 1, stem: .large, normalization: .halfGray, generator), 96, 1),
      (ResNet18(classes: 3, width: 6, stem: .small, normalization: shift, generator), 96, 3),
      (ResNet32(classes: 3, width: 6, channels: 1, normalization: .halfGray, generator), 32, 1),
      (VGG19(classes: 3, width: 4, dropout: 0, normalization: shift, generator), 32, 3),
      (VGG19(classes: 3, width: 4, hidden: 11, channels: 1, dropout: 0.2, normalization: .halfGray, generator), 32, 1),
      (VGG19(classes: 3, width: 4, hidden: 9, batchNorm: true, dropout: 0.8, normalization: shift, generator), 32, 3),
      (VGG19(classes: 3, width: 4, batchNorm: true, normalization: shift, generator), 32, 3),
      (DenseNet121(classes: 3, width: 8, channels: 1, stem: .large, normalization: .halfGray, generator), 96, 1),
      (DenseNet121(classes: 3, width: 8, stem: .small, normalization: shift, generator), 32, 3),
      (SmallCNN(classes: 3, width: 6, channels: 1, normalization: .halfGray, generator), 32, 1),
      (ResNet34(classes: 3, width: 2, channels: 1, normalization: .halfGray, generator), 32, 1),
      (ResNet50(classes: 3, width: 2, normalization: shift, generator), 32, 3),
      (WideResNet(classes: 3, width: 2, depth: 16, widen: 2, normalization: shift, generator), 16, 3),
      (CIFARVGG(classes: 3, width: 2, depth: 13, normalization: shift, generator), 32, 3),
      (CIFARDenseNet(classes: 3, width: 4, normalization: shift, generator), 16, 3),
      (MobileNetV2(classes: 3, width: 4, channels: 1, normalization: .halfGray, generator), 16, 1),
      (EfficientNetB0(classes: 3, width: 4, normalization: shift, generator), 16, 3),
      (ConvNeXtTiny(classes: 3, width: 2, normalization: shift, generator), 16, 3),
      (
        VisionTransformer(
          classes: 3, width: 8, depth: 2, heads: 2, patch: 8, imageSize: 16, normalization: shift, generator), 16, 3
      ),
    ]
    let kinds = Set(models.map { ObjectIdentifier(type(of: $0.model)) })
    #expect(kinds == Set(try Self.ids.map { ObjectIdentifier(type(of: try Self.small($0))) }), "the whole zoo")
    for (model, side, channels) in models {
      model.classNames = ["a", "b", "c"]
      for training in [true, false] {
        let copy = try model.train(training).copied()
        #expect(copy.spec == model.spec && copy.classNames == model.classNames && copy.isTraining == training)
        let rates = [model, copy].map { $0.modules().compactMap { ($0.module as? Dropout)?.p } }
        #expect(rates[0] == rates[1], "\(type(of: model))")
        // Dropout draws the same, statistics start the same.
        let x = Generator(seed: 5).uniform([2, channels, side, side])
        let outputs = [copy, model].map { each in
          each.reseedDropout(7)
          return noGrad { each(x) }
        }
        expectSame(outputs[0], outputs[1], "\(type(of: model)), training \(training)")
      }
    }
  }

  @Test(
    "Every model takes every size, forward and backward", arguments: architectures,
    [(3, 8), (1, 28), (3, 32), (3, 64), (3, 224)])
  func sizes(_ id: String, _ size: (channels: Int, side: Int)) throws {
    let model = try Self.small(id, size.channels, size.side)
    let x = Generator(seed: 5).uniform([2, size.channels, size.side, size.side]).requiresGrad_()
    let (logits, features) = model.logitsAndFeatures(x)
    #expect(logits.shape == [2, 5])
    #expect(logits.isFinite().all().intItem() == 1)
    #expect(features.penultimate.rank == 2)
    F.crossEntropy(logits, Tensor([Int64(0), 4])).backward()
    for (key, parameter) in model.namedParameters() {
      #expect(parameter.grad?.isFinite().all().intItem() == 1, "\(key)")
    }
    #expect(x.grad?.shape == x.shape)
    model.eval()
    #expect(noGrad { model(x) }.isFinite().all().intItem() == 1)
  }

  @Test("Stages and penultimate activations come from the forward pass of the logits", arguments: architectures)
  func stages(_ id: String) throws {
    let model = try Self.small(id).eval()
    let x = Generator(seed: 5).uniform([3, 3, 32, 32])
    let (logits, features) = noGrad { model.logitsAndFeatures(x) }
    let expected: [Shape] =
      switch id {
      case "preactresnet18", "resnet18", "resnet34":
        [[3, 8, 32, 32], [3, 16, 16, 16], [3, 32, 8, 8], [3, 64, 4, 4]]
      case "resnet50": [[3, 16, 32, 32], [3, 32, 16, 16], [3, 64, 8, 8], [3, 128, 4, 4]]
      case "wideresnet": [[3, 4, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8]]
      case "vgg_cifar": [[3, 4, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8], [3, 32, 4, 4], [3, 32, 2, 2]]
      case "densenet_cifar": [[3, 16, 32, 32], [3, 32, 16, 16], [3, 64, 8, 8], [3, 64, 4, 4]]
      case "mobilenet_v2": [[3, 8, 32, 32], [3, 8, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8], [3, 1280, 4, 4]]
      case "efficientnet_b0": [[3, 8, 32, 32], [3, 8, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8], [3, 160, 4, 4]]
      case "convnext_tiny": [[3, 4, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8], [3, 32, 4, 4]]
      case "vit_tiny": [[3, 12, 8, 8], [3, 12, 8, 8]]
      case "resnet32": [[3, 2, 32, 32], [3, 4, 16, 16], [3, 8, 8, 8]]
      case "densenet121": [[3, 32, 32, 32], [3, 64, 16, 16], [3, 128, 8, 8], [3, 128, 4, 4]]
      case "cnn": [[3, 4, 32, 32], [3, 8, 16, 16], [3, 16, 8, 8]]
      default: [[3, 8, 32, 32], [3, 16, 16, 16], [3, 32, 8, 8], [3, 64, 4, 4], [3, 64, 2, 2]]
      }
    #expect(features.stages.map(\.shape) == expected)
    #expect(deviation(noGrad { model.logits(features.penultimate) }, logits) == 0)
    let pools = !["vgg19", "vgg19_bn", "vgg_cifar", "convnext_tiny", "vit_tiny"].contains(id)
    if pools, let last = features.stages.last {
      #expect(deviation(last.mean([2, 3]), features.penultimate) < 1e-5)
    }
  }

  @Test(
    "Images from 96 pixels on get torchvision's stem",
    arguments: [("resnet18", "fc.weight", "linear.weight"), ("densenet121", nil, nil)])
  func stem(_ id: String, _ large: String?, _ small: String?) throws {
    for size in [32, 64, 95, 96, 224] {
      let state = try Self.small(id, 3, size).stateDict()
      let kernel = state.entries.first { $0.tensor.rank == 4 }?.tensor.dimension(2)
      #expect(kernel == (size >= 96 ? 7 : 3))
      if let large { #expect((state[large] != nil) == (size >= 96)) }
      if let small { #expect((state[small] != nil) == (size < 96)) }
    }
  }

  @Test("The normaliser comes first and stays out of the state", arguments: architectures)
  func normalised(_ id: String) throws {
    let plain = try Self.small(id).eval()
    let normalising = try Self.small(id, normalization: .cifar10).eval()
    #expect(plain.stateDict().keys == normalising.stateDict().keys)
    let x = Generator(seed: 5).uniform([2, 3, 32, 32])
    let mean = Tensor([Float(0.4914), 0.4822, 0.4465], shape: [1, 3, 1, 1])
    let deviations = Tensor([Float(0.247), 0.243, 0.261], shape: [1, 3, 1, 1])
    noGrad {
      #expect(deviation(normalising(x), plain((x - mean) / deviations)) < 1e-4)
      #expect(deviation(normalising(x), plain(x)) > 1e-3)
    }
  }

  @Test("The same seed gives the same weights, another one others", arguments: ids)
  func seeds(_ id: String) throws {
    let kind = try ModelKind.named(id)
    let shape = ModelShape(classes: 3, width: kind.defaultWidth / (8 * kind.widthStep) * kind.widthStep)
    func weights(_ seed: UInt64) -> Tensor {
      Tensor.concatenated(kind.make(shape, Generator(seed: seed)).parameters().map { $0.detach().flattened() })
    }
    #expect(deviation(weights(1), weights(1)) == 0)
    #expect(deviation(weights(1), weights(2)) > 0)
  }

  @Test("Initial weights spread as the originals'")
  func spread() throws {
    func spread(_ model: Classifier, _ key: String) throws -> Double {
      try #require(model.stateDict()[key]).standardDeviation().item()
    }
    func close(_ found: Double, _ expected: Double) -> Bool { abs(found / expected - 1) < 0.03 }
    let resnet = ResNet18(classes: 10, stem: .large, Generator(seed: 0))
    #expect(close(try spread(resnet, "conv1.weight"), (2.0 / (64 * 49)).squareRoot()))
    #expect(close(try spread(resnet, "layer2.0.conv1.weight"), (2.0 / (128 * 9)).squareRoot()))
    let cifar = ResNet18(classes: 10, Generator(seed: 0))
    #expect(close(try spread(cifar, "layer2.0.conv1.weight"), (1.0 / (3 * 64 * 9)).squareRoot()))
    let dense = DenseNet121(classes: 10, stem: .large, Generator(seed: 0))
    #expect(close(try spread(dense, "features.denseblock1.denselayer1.conv2.weight"), (2.0 / (128 * 9)).squareRoot()))
    let option = ResNet32(classes: 100, width: 32, Generator(seed: 0))
    #expect(close(try spread(option, "layer3.0.conv1.weight"), (2.0 / (64 * 9)).squareRoot()))
    #expect(close(try spread(option, "linear.weight"), (2.0 / 128).squareRoot()))
    let wide = WideResNet(classes: 10, depth: 10, widen: 4, Generator(seed: 0))
    #expect(close(try spread(wide, "block2.layer.0.conv1.weight"), (2.0 / (128 * 9)).squareRoot()))
    let mobile = MobileNetV2(classes: 10, stem: .large, Generator(seed: 0))
    #expect(close(try spread(mobile, "features.4.conv.0.0.weight"), (2.0 / 144).squareRoot()))
    #expect(close(try spread(mobile, "classifier.1.weight"), 0.01))
    let efficient = EfficientNetB0(classes: 10, Generator(seed: 0))
    #expect(close(try spread(efficient, "features.4.1.block.0.0.weight"), (2.0 / 480).squareRoot()))
    #expect(close(try spread(efficient, "classifier.1.weight"), (1.0 / 30).squareRoot()))
    let convnext = ConvNeXtTiny(classes: 10, width: 32, Generator(seed: 0))
    #expect(close(try spread(convnext, "features.3.0.block.3.weight"), 0.02))
    #expect(try #require(convnext.stateDict()["features.5.8.layer_scale"]).max().item() == Double(Float(1e-6)))
    let transformer = VisionTransformer(classes: 10, depth: 1, Generator(seed: 0))
    for key in ["pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc2.weight"] {
      #expect(close(try spread(transformer, key), 0.02), "\(key)")
    }
    #expect(close(try spread(transformer, "patch_embed.proj.weight"), (1.0 / (3 * 48)).squareRoot()))
    #expect(abs(try spread(transformer, "cls_token") - 1e-6) < 2e-7)
    let vgg = VGG19(classes: 10, width: 16, Generator(seed: 0))
    #expect(close(try spread(vgg, "features.10.weight"), (2.0 / (64 * 9)).squareRoot()))
    #expect(close(try spread(vgg, "classifier.3.weight"), 0.02))
    #expect(try #require(vgg.stateDict()["features.0.bias"]).abs().max().item() == 0)
  }

  @Test("Only the names that say so have BatchNorm")
  func normalisation() throws {
    #expect(try Self.small("vgg19").namedBuffers().isEmpty)
    #expect(try Self.small("vgg19_bn").namedBuffers().count == 16 * 3)
  }

  @Test("VGG19's head reads channels, rows, then columns of the map pooled to 7 x 7")
  func head() throws {
    let model = try Self.small("vgg19").eval()
    let state = model.stateDict()
    let features = noGrad { model.features(Generator(seed: 5).uniform([2, 3, 64, 96])) }
    let last = try #require(features.stages.last)
    #expect(last.shape == [2, 64, 4, 6])
    var x = F.adaptiveAvgPool2d(F.maxPool2d(last, kernel: 2), 7, 7).contiguous().reshaped(2, 64 * 49)
    for key in ["classifier.0", "classifier.3"] {
      x = F.linear(x, try #require(state["\(key).weight"]), state["\(key).bias"]).relu()
    }
    #expect(deviation(features.penultimate, x) < 1e-5)
  }

  @Test("VGG19's dropout acts in training mode alone and follows its seed")
  func dropout() throws {
    let model = try Self.small("vgg19")
    let x = Generator(seed: 5).uniform([2, 3, 32, 32])
    func penultimate() -> Tensor { noGrad { model.features(x).penultimate } }
    model.reseedDropout(7)
    let first = penultimate()
    #expect(deviation(penultimate(), first) > 0)
    model.reseedDropout(7)
    #expect(deviation(penultimate(), first) == 0)
    model.eval()
    let quiet = penultimate()
    #expect(deviation(penultimate(), quiet) == 0)
  }
}
