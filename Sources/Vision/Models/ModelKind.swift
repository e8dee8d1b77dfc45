public import Torch

/// The architectures by name, with how each one is built: the model zoo. Adding a model is adding a row.
public struct ModelKind: Sendable {
  /// Name on the command line.
  public let id: String
  public let summary: String
  /// The published width, which the width setting replaces.
  public let defaultWidth: Int
  public let make: @Sendable (ModelShape, Generator) -> Classifier

  public static let all: [ModelKind] = [
    ModelKind(id: "preactresnet18", summary: "PreAct-ResNet18 without final BatchNorm, as the backdoor benchmarks use it", defaultWidth: 64) {
      PreActResNet18(classes: $0.classes, width: $0.width, channels: $0.channels, normalization: $0.normalization, $1)
    }
  ]
}

/// What a model has to fit.
public struct ModelShape: Sendable {
  public var classes: Int
  /// Channels of the first stage.
  public var width: Int
  /// 1 or 3 image channels.
  public var channels: Int
  /// Side of the square images in pixels, 28 to 224: models choose their stem by it.
  public var imageSize: Int
  public var normalization: Normalization

  public init(classes: Int, width: Int, channels: Int = 3, imageSize: Int = 32, normalization: Normalization = .none) {
    self.classes = classes
    self.width = width
    self.channels = channels
    self.imageSize = imageSize
    self.normalization = normalization
  }
}
