public import Support
public import Vision

/// Which architecture.
public struct ModelSettings: Configurable, Hashable {
  public var name = "preactresnet18"
  public var width: Int? = nil
  public init() {}

  public static let settings: [Setting] = [
    Setting("name", "Architecture.", choices: ModelKind.all.map(\.id)),
    Setting("width", "Channels of the first stage; empty is the published width. 16 suits a CPU.", unit: "channels", range: 1...4096),
  ]

  /// The architecture for a data set.
  /// - Throws: `SettingsError` for images that are not square, or too small or too large for any model.
  public func spec(for data: ImageDataset) throws -> ModelSpec {
    let kind = try ModelKind.named(name)
    guard data.height == data.width else {
      throw SettingsError(
        "dataset.size",
        "the images of \(data.name) are \(data.height)x\(data.width), and models take square ones: --set dataset.size=\(data.height)")
    }
    guard ModelShape.imageSizes.contains(data.height) else {
      throw SettingsError(
        "dataset.size",
        "the images of \(data.name) are \(data.height)x\(data.width) pixels, and models take \(ModelShape.imageSizes.lowerBound) to "
          + "\(ModelShape.imageSizes.upperBound): --set dataset.size=32")
    }
    let normalization = try DatasetKind.named(data.name).normalization(channels: data.channels)
    return ModelSpec(
      kind: kind.id,
      shape: ModelShape(
        classes: data.classes, width: width ?? kind.defaultWidth, channels: data.channels, imageSize: data.height,
        normalization: normalization))
  }
}
