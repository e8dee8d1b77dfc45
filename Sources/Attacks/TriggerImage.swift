import Backdoor
import Torch
import Vision

/// A user's image as a trigger.
enum TriggerImage {
  /// Float C x H x W in [0, 1], resized.
  static func load(_ path: String, height: Int, width: Int, channels: Int) throws -> Tensor {
    let image = try DecodedImage.decode(contentsOf: path)
    let resized = F.interpolate(image.tensor.unitPixels(), height: height, width: width, mode: .bilinear, antialias: true).clamped(0, 1)[0]
    if channels == image.channels { return resized.contiguous() }
    if channels == 3 { return resized.expanded([3, height, width]).contiguous() }
    return resized.mean([0], keep: true).contiguous()
  }
}
