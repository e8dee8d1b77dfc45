import Torch

/// Resizing while loading: bilinear with an antialiasing filter, in uint8, as Pillow does it.
enum Resizing {
  /// Squeezes an image to a square.
  static let resize: ImageResize = { image, size in
    DecodedImage(F.interpolate(image.tensor, height: size, width: size, mode: .bilinear, antialias: true)[0])
  }

  /// The same images as squares; in blocks, since the filter works in floats.
  static func resize(_ data: ImageDataset, to size: Int) -> ImageDataset {
    guard data.count > 0 else { return data }
    let parts = stride(from: 0, to: data.count, by: 4096).map { start in
      let range = start..<min(start + 4096, data.count)
      return F.interpolate(data.images[range], height: size, width: size, mode: .bilinear, antialias: true).contiguous()
    }
    return ImageDataset(
      name: data.name, images: Tensor.concatenated(parts), labels: data.labels, classNames: data.classNames,
      sources: data.sources)
  }
}

extension ImageDataset {
  /// The same images as squares of another side, bilinear with antialiasing.
  public func resized(to side: Int) -> ImageDataset { Resizing.resize(self, to: side) }
}
