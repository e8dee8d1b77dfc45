public import Support
public import Vision

/// Which architecture.
public struct ModelSettings: Configurable, Hashable {
  public var name = "preactresnet18"
  public var width: Int? = nil
  public init() {}

  public static let settings: [Setting] = [
    Setting("name", "Architecture.", choices: ModelKind.all.map(\.id)),
    Setting(
      "width", "Channels of the first stage; empty is the published width. 16 suits a CPU.", unit: "channels",
      range: 1...4096),
  ]

  /// The architecture for a data set.
  /// - Throws: `SettingsError` for unknown names, and for images that the architecture cannot take.
  public func spec(for data: ImageDataset) throws -> ModelSpec {
    let kind = try ModelKind.named(name)
    try kind.check(images: data.shape)
    let normalization = try DatasetKind.named(data.name).normalization(channels: data.channels)
    return ModelSpec(
      kind: kind.id,
      shape: ModelShape(
        classes: data.classes, width: width ?? kind.defaultWidth, channels: data.channels, imageSize: data.height,
        normalization: normalization))
  }
}
