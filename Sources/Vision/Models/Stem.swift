/// How a network takes in its image.
public enum Stem: String, Sendable, Codable, CaseIterable {
  /// A 3x3 convolution at full resolution: for images of about 32 pixels.
  case small
  /// A 7x7 convolution with stride 2 and a max-pool, a quarter of the resolution together: for ImageNet's sizes.
  case large

  /// The stem that the zoo chooses: large from 96 pixels on, where the small one would cost sixteen times the work.
  public static func fitting(imageSize: Int) -> Stem { imageSize >= 96 ? .large : .small }

  /// An image size in pixels that gets this stem.
  var typicalSize: Int { self == .small ? 32 : 224 }
}
