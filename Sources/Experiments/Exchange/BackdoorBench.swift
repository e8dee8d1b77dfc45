import Files
import Formats
import Support
import Vision

/// What BackdoorBench calls things, and what it does to pixels (its `dataset_and_transform_generate` and
/// `model_trainer_generate`).
enum BackdoorBench {
  struct Dataset {
    /// Its name there.
    let name: String
    /// The name here.
    let id: String
    let normalization: String
    /// The side of its images there.
    let side: Int
    /// Training images in all; nil where that varies.
    let trainCount: Int?
  }

  static let datasets = [
    Dataset(name: "cifar10", id: "cifar10", normalization: "cifar10", side: 32, trainCount: 50_000),
    Dataset(name: "cifar100", id: "cifar100", normalization: "cifar100", side: 32, trainCount: 50_000),
    Dataset(name: "gtsrb", id: "gtsrb", normalization: "none", side: 32, trainCount: 39_209),
    Dataset(name: "tiny", id: "tiny-imagenet", normalization: "tiny-imagenet", side: 64, trainCount: 100_000),
    Dataset(name: "mnist", id: "mnist", normalization: "half", side: 28, trainCount: 60_000),
    Dataset(name: "imagenet", id: "folder", normalization: "imagenet", side: 224, trainCount: nil),
  ]
}

extension BackdoorBench {
  /// Its name of a network that it makes in this very shape; nil where it makes none.
  static func modelName(_ spec: ModelSpec) -> String? {
    guard models.contains(spec.kind), let kind = try? ModelKind.named(spec.kind),
      spec.shape.width == kind.defaultWidth, spec.shape.groups == nil, spec.shape.layers == nil,
      spec.shape.channels == 3,
      !kind.options.hasStems || spec.shape.usedStem == .large
    else { return nil }
    return spec.kind
  }

  /// Names are the same on both sides; TorchVision's networks are TorchVision's there at every size of the images.
  private static let models: Set<String> = [
    "preactresnet18", "resnet18", "resnet34", "resnet50", "vgg19", "vgg19_bn", "densenet121", "mobilenet_v2",
    "efficientnet_b0", "convnext_tiny",
  ]

  /// Which networks it has, for messages.
  static let modelWords =
    "preactresnet18, vgg19, vgg19_bn, and with --set model.stem=large TorchVision's resnet18, resnet34, resnet50, "
    + "densenet121, mobilenet_v2, efficientnet_b0 and convnext_tiny, all of their full width"
}

extension BackdoorBench {
  /// Our positions of a split's images, in the order that they have there.
  static func order(_ labels: [Int], of dataset: String, isTest: Bool) -> [Int] {
    // Tiny ImageNet's validation images lie in folders by class there.
    guard isTest, dataset == "tiny-imagenet" else { return Array(labels.indices) }
    return labels.indices.sorted { (labels[$0], $0) < (labels[$1], $1) }
  }
}
