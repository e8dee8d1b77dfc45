import Torch

/// Resizing while loading: bilinear with an antialiasing filter, in uint8, as Pillow does it.
enum Resizing {
  /// Squeezes an image to a square.
  static let resize: ImageResize = { image, size in
    DecodedImage(F.interpolate(image.tensor, height: size, width: size, mode: .bilinear, antialias: true)[0])
  }

  static func resize(_ raw: RawImages, to size: Int) -> RawImages {
    let block = 4096
    var pixels: [UInt8] = []
    pixels.reserveCapacity(raw.count * raw.channels * size * size)
    let bytes = raw.channels * raw.height * raw.width
    for start in stride(from: 0, to: raw.count, by: block) {
      let count = min(block, raw.count - start)
      let part = Array(raw.pixels[(start * bytes)..<((start + count) * bytes)])
      let images = Tensor(part, shape: [count, raw.channels, raw.height, raw.width])
      pixels += F.interpolate(images, height: size, width: size, mode: .bilinear, antialias: true).contiguous().array(
        UInt8.self)
    }
    return RawImages(
      channels: raw.channels, height: size, width: size, pixels: pixels, labels: raw.labels, classNames: raw.classNames)
  }
}
