import Backdoor
import Torch
import Vision

/// A user's image as a trigger.
struct TriggerImage {
  /// Float C x H x W in [0, 1], resized.
  let pixels: Tensor
  /// Float 1 x H x W in [0, 1]: 0 leaves what is below, 1 hides it. Nil where the image is opaque.
  let opacity: Tensor?

  init(_ path: String, height: Int, width: Int, channels: Int) throws {
    let (image, alpha) = try DecodedImage.decodeWithAlpha(contentsOf: path)
    func resized(_ planes: Tensor) -> Tensor {
      F.interpolate(planes, height: height, width: width, mode: .bilinear, antialias: true).clamped(0, 1)[0]
    }
    var pixels = Tensor(image.pixels, shape: [1, image.height, image.width, image.channels]).permuted(0, 3, 1, 2)
      .unitPixels()
    if let alpha {
      // A transparent pixel's colour must not run into its neighbours: colours are weighed by their opacity.
      let planes = Tensor(alpha, shape: [1, 1, image.height, image.width]).unitPixels()
      let opacity = resized(planes)
      pixels = (resized(pixels * planes) / opacity.clamped(1e-6, 1)).clamped(0, 1)
      self.opacity = opacity.contiguous()
    } else {
      pixels = resized(pixels)
      opacity = nil
    }
    if channels == image.channels {
      self.pixels = pixels.contiguous()
    } else if channels == 3 {
      self.pixels = pixels.expanded([3, height, width]).contiguous()
    } else {
      self.pixels = pixels.mean([0], keep: true).contiguous()
    }
  }
}
