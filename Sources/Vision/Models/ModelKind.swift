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
  /// What else can be chosen.
  public var options = ModelOptions()
  /// How many parameters a shape has, where that is no polynomial of the width.
  var countsParameters: (@Sendable (ModelShape) -> Double)? = nil
  /// The depth, and whatever else its keys depend on, by the keys and shapes of a file; for architectures of several
  /// depths, one of those whose keys are alike.
  var template: (@Sendable ([String: Shape]) -> ModelShape?)? = nil
  /// The classes of the activations that it has, as PyTorch calls them.
  var activations: Set<String> = ["ReLU"]
  let build: @Sendable (ModelShape, Generator) -> Classifier

  /// A new model with random weights that fits `shape`, for which `check` has passed.
  public func make(_ shape: ModelShape, _ generator: Generator) -> Classifier {
    let model = build(shape, generator)
    if let groups = shape.groups { model.normalizeGroups(groups) }
    if let layers = shape.layers { model.adjust(layers) }
    model.spec = ModelSpec(kind: id, shape: shape)
    return model
  }

  /// - Throws: `SettingsError` for a width that the architecture cannot have.
  public func check(width: Int) throws(SettingsError) {
    guard width > 0, width % widthStep == 0 else {
      throw SettingsError("model.width", "\(width) is no width of \(id): it takes multiples of \(widthStep).")
    }
  }

  /// - Throws: `SettingsError` for a shape that the architecture cannot have; images are `check(images:)`'s.
  public func check(_ shape: ModelShape) throws(SettingsError) {
    if shape.heads == nil { try check(width: shape.width) }
    guard shape.width > 0 else { throw SettingsError("model.width", "\(shape.width) is no width.") }
    try options.check(shape, id)
  }

  /// - Throws: `SettingsError` for images that the architecture cannot take: it needs square ones of a least size.
  /// - Parameters:
  ///   - stem: the one that is asked for; the large one leaves a quarter of the resolution.
  ///   - layers: strides and kernels that are not the architecture's own.
  public func check(
    images shape: ImageShape, stem: Stem? = nil, layers: [String: LayerSettings]? = nil
  ) throws(SettingsError) {
    var least = stem == .large ? 4 * leastImageSize : leastImageSize
    // Where a map may vanish, each of them may divide its side once more.
    if leastImageSize > 1 {
      for layer in (layers ?? [:]).values {
        let (most, stride) = (min(least, ModelShape.imageSizes.upperBound), max(layer.stride ?? 1, 1))
        // A pool of a large kernel needs a side for it.
        let pooled = (most - 1) * stride + (layer.kernel ?? 1) - 2 * (layer.padding ?? 0)
        least = max(most * stride, pooled)
      }
    }
    guard shape.height == shape.width else {
      throw SettingsError(
        "dataset.size",
        "the images are \(shape.height)x\(shape.width) pixels, and models take square ones: --set dataset.size=32 "
          + "resizes them."
      )
    }
    guard shape.height >= least else {
      throw SettingsError(
        "dataset.size",
        "the images are \(shape.height)x\(shape.width) pixels, and \(id) takes \(least)x\(least) "
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
  /// Layers of architectures of several depths; nil is the published one, here and in what follows.
  public var depth: Int?
  /// How many times its width a wide residual network is wide.
  public var widen: Int?
  /// Side of a vision transformer's patches in pixels; nil lets the image size choose.
  public var patch: Int?
  /// Heads of a vision transformer's attention.
  public var heads: Int?
  /// What its layers compute beside their weights, by their paths (`layer1.0.conv1`), where that is not what the
  /// architecture has; nil, and absent in files, where nothing differs.
  public var layers: [String: LayerSettings]?

  /// The stem that a model of this shape gets.
  public var usedStem: Stem { stem ?? .fitting(imageSize: imageSize) }
  /// The patches that a vision transformer of this shape gets: a grid of 8x8 for 32 pixels, of 14x14 for 224.
  public var usedPatch: Int { patch ?? (imageSize >= 96 ? 16 : 4) }

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
