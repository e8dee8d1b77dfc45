public import Torch

/// Random crop and horizontal flip together, the usual augmentation of small images, straight from the uint8 data set:
/// the step of a training loop reads its batch, crops, mirrors and converts in one pass.
public struct CropFlip: Augmentation {
  /// Border around the image in pixels; a crop has the image's size.
  public let padding: Int
  public let mode: PadMode
  /// Mirrors each image with probability 1/2.
  public let flip: Bool

  public init(padding: Int = 4, mode: PadMode = .constant, flip: Bool = true) {
    require(padding >= 0, "CropFlip: padding \(padding) is negative")
    self.padding = padding
    self.mode = mode
    self.flip = flip
  }

  /// Augmented rows of a data set.
  /// - Parameters:
  ///   - images: N x C x H x W, uint8 or float in [0, 1].
  ///   - indices: int64 B, on the device of the images; an index may occur more than once and is then drawn for anew.
  /// - Returns: float B x C x H x W in [0, 1], in channels_last memory.
  public func gather(images: Tensor, indices: Tensor, _ generator: Generator) -> Tensor {
    let places = places(indices.count, generator).to(images.device)
    return F.cropFlip(images, indices, places: places, padding: padding, mode: mode)
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    gather(images: images, indices: Tensor.arange(images.dimension(0), device: images.device), generator)
  }

  /// First row, first column and mirroring of each crop: int64 3 x count.
  private func places(_ count: Int, _ generator: Generator) -> Tensor {
    let corner = generator.integers(0..<(2 * padding + 1), [2, count])
    let mirrored =
      flip ? generator.integers(0..<2, [1, count]) : Tensor.zeros([1, count], dtype: .int64, device: generator.device)
    return Tensor.concatenated([corner, mirrored])
  }
}
