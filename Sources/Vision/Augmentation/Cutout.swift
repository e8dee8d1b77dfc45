public import Torch

extension ImageOps {
  /// Sets a square of `size` pixels about each image's centre (row and column, int64 N each) to 0. The square may stick
  /// out of the image.
  public static func cutout(_ images: Tensor, rows: Tensor, columns: Tensor, size: Int) -> Tensor {
    let shape = images.shape
    func inside(_ centre: Tensor, _ count: Int) -> Tensor {
      let i =
        Tensor.arange(count, device: images.device).reshaped(1, -1) - centre.to(images.device).reshaped(-1, 1)
        + Double(size / 2)
      return (i .>= 0) .& (i .< Double(size))
    }
    let hole = inside(rows, shape[2]).unsqueezed(2) .& inside(columns, shape[3]).unsqueezed(1)
    return images.filled(where: hole.unsqueezed(1), with: 0)
  }
}

/// Blackens a square at a random place (DeVries and Taylor, Cutout, 2017). Its centre is any pixel, so that part of it
/// may lie outside.
public struct Cutout: Augmentation {
  /// Side of the square in pixels.
  public let size: Int
  public init(size: Int) {
    require(size > 0, "Cutout: size \(size) is not positive")
    self.size = size
  }

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    let shape = images.shape
    let rows = generator.integers(0..<shape[2], [shape[0]])
    let columns = generator.integers(0..<shape[3], [shape[0]])
    return ImageOps.cutout(images, rows: rows, columns: columns, size: size)
  }
}
