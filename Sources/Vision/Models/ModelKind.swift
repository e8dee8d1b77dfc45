public import Support
public import Torch
import TorchNN

/// The architectures by name, with how each one is built: the model zoo. Adding a model is adding a row.
public struct ModelKind: Sendable {
  /// Name on the command line.
  public let id: String
  public let summary: String
  /// The published width, which the width setting replaces.
  public let defaultWidth: Int
  /// Widths are multiples of it.
  public var widthStep = 1
  /// The smallest side of an image in pixels: below it, a layer that halves the resolution has nothing left.
  public var leastImageSize = 1
  private let build: @Sendable (ModelShape, Generator) -> Classifier

  /// A new model with random weights that fits `shape`.
  public func make(_ shape: ModelShape, _ generator: Generator) -> Classifier {
    let model = build(shape, generator)
    if let groups = shape.groups { model.normalizeGroups(groups) }
    model.spec = ModelSpec(kind: id, shape: shape)
    return model
  }

  /// - Throws: `SettingsError` for a width that the architecture cannot have.
  public func check(width: Int) throws(SettingsError) {
    guard width > 0, width % widthStep == 0 else {
      throw SettingsError("model.width", "\(width) is no width of \(id): it takes multiples of \(widthStep).")
    }
  }

  /// - Throws: `SettingsError` for images that the architecture cannot take: it needs square ones of a least size.
  public func check(images shape: ImageShape) throws(SettingsError) {
    guard shape.height == shape.width else {
      throw SettingsError(
        "dataset.size",
        "the images are \(shape.height)x\(shape.width) pixels, and models take square ones: --set dataset.size=32 "
          + "resizes them."
      )
    }
    guard shape.height >= leastImageSize else {
      throw SettingsError(
        "dataset.size",
        "the images are \(shape.height)x\(shape.width) pixels, and \(id) takes \(leastImageSize)x\(leastImageSize) "
          + "and larger ones: "
          + "--set dataset.size=32 resizes them.")
    }
    guard shape.height <= ModelShape.imageSizes.upperBound else {
      throw SettingsError(
        "dataset.size",
        "the images are \(shape.height)x\(shape.width) pixels, and models take up to "
          + "\(ModelShape.imageSizes.upperBound): "
          + "--set dataset.size=224 resizes them.")
    }
  }

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
      defaultWidth: 64
    ) {
      ResNet18(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
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
      id: "densenet121", summary: "DenseNet121; below 96 pixels with a 3x3 stem, from there on torchvision's",
      defaultWidth: 64,
      widthStep: 2, leastImageSize: 8
    ) {
      DenseNet121(
        classes: $0.classes, width: $0.width, channels: $0.channels, stem: $0.usedStem,
        normalization: $0.normalization, $1)
    },
    ModelKind(
      id: "cnn", summary: "three convolutions with BatchNorm: trains in seconds on a CPU", defaultWidth: 32,
      leastImageSize: 4
    ) {
      SmallCNN(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    },
  ]

  /// The architecture with this id.
  /// - Throws: `unknown model "resnet19". Did you mean resnet18 or resnet32? Known: preactresnet18, resnet18, ...`
  public static func named(_ id: String) throws(SettingsError) -> ModelKind {
    guard let kind = all.first(where: { $0.id == id }) else {
      throw SettingsError.unknownName(what: "model", name: id, known: all.map(\.id))
    }
    return kind
  }
}

/// What a model has to fit.
public struct ModelShape: Sendable, Codable, Hashable {
  public var classes: Int
  /// Channels of the first stage.
  public var width: Int
  /// 1 or 3 image channels.
  public var channels: Int
  /// Side of the square images in pixels, within `imageSizes`: models choose their stem by it.
  public var imageSize: Int
  public var normalization: Normalization
  /// Group normalisation with so many groups in the place of batch normalisation; nil, and absent in files, without.
  public var groups: Int?
  /// The stem of architectures that have two; nil lets the image size choose.
  public var stem: Stem?

  /// The stem that a model of this shape gets.
  public var usedStem: Stem { stem ?? .fitting(imageSize: imageSize) }

  /// The sides that models take, in pixels.
  public static let imageSizes = 8...2048

  public init(classes: Int, width: Int, channels: Int = 3, imageSize: Int = 32, normalization: Normalization = .none) {
    self.classes = classes
    self.width = width
    self.channels = channels
    self.imageSize = imageSize
    self.normalization = normalization
  }
}
