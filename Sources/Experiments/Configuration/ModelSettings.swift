public import Support
public import Vision

/// Which architecture, and what it does to images first.
public struct ModelSettings: Configurable, Hashable {
  public var name = "preactresnet18"
  public var width: Int? = nil
  public var normalization: NormalizationSetting? = nil
  public var channels = ChannelOrder.rgb
  public var size: Int? = nil
  public var depth: Int? = nil
  public var widen: Int? = nil
  public var patch: Int? = nil
  public var heads: Int? = nil
  public var stem: Stem? = nil
  public init() {}

  public static let settings: [Setting] = [
    Setting("name", "Architecture.", choices: ModelKind.all.map(\.id)),
    Setting(
      "width", "Channels of the first stage; empty is the published width. 16 suits a CPU.", unit: "channels",
      range: 1...4096),
    Setting(
      "normalization",
      "What the model subtracts from pixels in [0, 1] and divides them by: a known name, or "
        + "[means],[deviations] of red, green and blue. Empty is what the model's file says; of a file that says "
        + "nothing, what fits labelled images best; of a new model, what is usual for the data set.",
      choices: NormalizationSetting.names),
    Setting(
      "channels", "Order in which the model takes colours; bgr is OpenCV's.",
      choices: ChannelOrder.allCases.map(\.rawValue)),
    Setting(
      "size",
      "Side of the images that the model takes; others are resized. Empty is what the model's file says, else the data "
        + "set's size.", unit: "pixels", range: 16...512),
    Setting(
      "depth", "Layers of wideresnet (6n + 4) and vgg_cifar, blocks of the vit; empty is the published depth.",
      unit: "layers", range: 1...100),
    Setting(
      "widen", "Widen factor of wideresnet: WRN-28-10 has 10, which empty stands for.", range: 1...16),
    Setting(
      "patch", "Side of a vit's patches; empty is 4 for images below 96 pixels, 16 from there on.", unit: "pixels",
      range: 1...64),
    Setting("heads", "Attention heads of a vit, which divide its width; empty is the published number.", range: 1...64),
    Setting(
      "stem",
      "How an architecture with two stems takes in its images: at full resolution (small), or as its ImageNet "
        + "version does (large); empty is large from 96 pixels on.",
      choices: Stem.allCases.map(\.rawValue)),
  ]

  /// What can be told before there are images.
  /// - Throws: `SettingsError` for unknown names, and for values that the architecture does not have.
  func check() throws(SettingsError) {
    let kind = try ModelKind.named(name)
    var shape = ModelShape(classes: 1, width: width ?? kind.defaultWidth, imageSize: patch ?? 32)
    (shape.depth, shape.widen, shape.patch, shape.heads, shape.stem) = (depth, widen, patch, heads, stem)
    try kind.check(shape)
  }

  /// The architecture for a data set.
  /// - Throws: `SettingsError` for unknown names, for images that the architecture cannot take, and for a normaliser of
  ///   another number of channels.
  public func spec(for data: ImageDataset) throws -> ModelSpec {
    guard data.classes > 1 else {
      throw JobError.invalid(
        "the data set \(data.name) has only one class, \(data.classNames.first ?? "without a name"): there is nothing to "
          + "learn. A folder needs one subfolder for each class; a list of images with labels is --dataset csv.")
    }
    guard data.count > 0 else {
      throw JobError.invalid("there are no training images: dataset.holdOut takes all of them for testing.")
    }
    let kind = try ModelKind.named(name)
    try kind.check(images: data.shape, stem: stem)
    var shape = ModelShape(
      classes: data.classes, width: width ?? kind.defaultWidth, channels: data.channels, imageSize: data.height,
      normalization: try normalization(for: data))
    (shape.depth, shape.widen, shape.patch, shape.heads, shape.stem) = (depth, widen, patch, heads, stem)
    try kind.check(shape)
    return ModelSpec(kind: kind.id, shape: shape)
  }

  private func normalization(for data: ImageDataset) throws -> Normalization {
    let values =
      try normalization?.values(channels: data.channels)
      ?? DatasetKind.named(data.name).normalization(channels: data.channels)
    return values.ordered(try channels.checked(data.channels))
  }
}

extension ChannelOrder {
  /// What follows on a normaliser's name.
  var suffix: String { self == .rgb ? "" : " with channels in the order bgr" }

  /// - Throws: `SettingsError` where gray images are to have another order.
  func checked(_ channels: Int) throws(SettingsError) -> ChannelOrder {
    guard self == .rgb || channels == 3 else {
      throw SettingsError("model.channels", "bgr is an order of three channels, and the images have \(channels).")
    }
    return self
  }
}
