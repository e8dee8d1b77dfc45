import Torch

extension ModelKind {
  /// Where a model has two stems, images of 96 pixels and more get the large one (`Stem.fitting(imageSize:)`).
  public static let all: [ModelKind] = [
    ModelKind(
      id: "preactresnet18", summary: "PreAct-ResNet18 without final BatchNorm, as the backdoor benchmarks use it",
      defaultWidth: 64
    ) {
      PreActResNet18(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "resnet18", summary: "ResNet18; below 96 pixels with a 3x3 stem, from there on torchvision's",
      defaultWidth: 64, options: ModelOptions(hasStems: true)
    ) {
      ResNet18(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "resnet34", summary: "ResNet34, with the stems of resnet18", defaultWidth: 64,
      options: ModelOptions(hasStems: true)
    ) {
      ResNet34(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "resnet50", summary: "ResNet50 of bottleneck blocks, with the stems of resnet18", defaultWidth: 64,
      options: ModelOptions(hasStems: true)
    ) {
      ResNet50(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "wideresnet", summary: "Wide ResNet for small images: WRN-28-10, or another depth and widen factor",
      defaultWidth: 16, options: ModelOptions(depth: .sixSteps(published: 28), widen: 10),
      template: WideResNet.template
    ) {
      WideResNet(
        classes: $0.classes, width: $0.width, depth: $0.depth ?? 28, widen: $0.widen ?? 10, channels: $0.channels,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "resnet32", summary: "ResNet32 for small images, with shortcuts without weights: 0.46 M parameters",
      defaultWidth: 16,
      widthStep: 2
    ) {
      ResNet32(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
    ModelKind(id: "vgg19", summary: "VGG19 without BatchNorm, torchvision's layout", defaultWidth: 64) {
      VGG19(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
    ModelKind(id: "vgg19_bn", summary: "VGG19 with BatchNorm, torchvision's layout", defaultWidth: 64) {
      VGG19(
        classes: $0.classes, width: $0.width, channels: $0.channels, batchNorm: true, normalization: $0.normalization,
        $1)
    },
    ModelKind(
      id: "vgg_cifar", summary: "VGG for small images, as in CIFAR code: BatchNorm, one linear layer, depth 11 to 19",
      defaultWidth: 64, options: ModelOptions(depth: .among([11, 13, 16, 19], published: 19)),
      template: CIFARVGG.template
    ) {
      CIFARVGG(
        classes: $0.classes, width: $0.width, depth: $0.depth ?? 19, channels: $0.channels,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "densenet121", summary: "DenseNet121; below 96 pixels with a 3x3 stem, from there on torchvision's",
      defaultWidth: 64,
      widthStep: 2, leastImageSize: 8, options: ModelOptions(hasStems: true)
    ) {
      DenseNet121(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "densenet_cifar", summary: "DenseNet for small images, as in CIFAR code: growth 12, half the width",
      defaultWidth: 24, widthStep: 2, leastImageSize: 8
    ) {
      CIFARDenseNet(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "mobilenet_v2", summary: "MobileNetV2; below 96 pixels with smaller strides, from there on torchvision's",
      defaultWidth: 32, options: ModelOptions(hasStems: true, stemShows: false),
      countsParameters: MobileNetV2.parameterCount, activations: ["ReLU6"]
    ) {
      MobileNetV2(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "efficientnet_b0",
      summary: "EfficientNet-B0; below 96 pixels with smaller strides, from there on torchvision's", defaultWidth: 32,
      options: ModelOptions(hasStems: true, stemShows: false), countsParameters: EfficientNetB0.parameterCount,
      activations: ["SiLU", "Swish", "Sigmoid"]
    ) {
      EfficientNetB0(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "convnext_tiny",
      summary: "ConvNeXt-Tiny, without BatchNorm; below 96 pixels with a 3x3 stem, from there on torchvision's",
      defaultWidth: 96, leastImageSize: 8, options: ModelOptions(hasStems: true), activations: ["GELU"]
    ) {
      ConvNeXtTiny(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    transformer("vit_tiny", "Vision transformer ViT-Tiny, without BatchNorm; patches of 4 pixels, from 96 on of 16", 3),
    transformer("vit_small", "Vision transformer ViT-Small, as vit_tiny", 6),
    transformer("vit_base", "Vision transformer ViT-Base, as vit_tiny", 12),
    ModelKind(
      id: "cnn", summary: "three convolutions with BatchNorm: trains in seconds on a CPU", defaultWidth: 32,
      leastImageSize: 4
    ) {
      SmallCNN(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
  ]

  /// A vision transformer whose published heads are of 64 numbers each.
  private static func transformer(_ id: String, _ summary: String, _ heads: Int) -> ModelKind {
    ModelKind(
      id: id, summary: summary, defaultWidth: 64 * heads, widthStep: heads,
      options: ModelOptions(depth: .upTo(48, published: 12), heads: heads, hasPatches: true),
      template: id == "vit_tiny" ? VisionTransformer.template : nil, activations: ["GELU"]
    ) {
      VisionTransformer(
        kind: id, classes: $0.classes, width: $0.width, depth: $0.depth ?? 12, heads: $0.heads ?? heads,
        patch: $0.usedPatch, imageSize: $0.imageSize, channels: $0.channels, normalization: $0.normalization, $1)
    }
  }
}
