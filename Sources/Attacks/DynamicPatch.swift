public import Backdoor
public import Torch
import Vision

/// A patch from a distribution: place, pattern or both are drawn for each image (the dynamic triggers of the DBD paper and
/// of MESA).
public struct DynamicPatch: Trigger {
  /// The shape, and what does not change.
  public let patch: Patch
  /// Least distance from the edge, in pixels.
  public let margin: Int
  public let changesPlace: Bool
  public let changesPattern: Bool
  /// A changing pattern is one random colour, rather than a random value at each pixel and channel.
  public let isOneColor: Bool

  public func callAsFunction(_ images: Tensor, _ generator: Generator) -> Tensor {
    write(on: images, generator) { $0.unitPixels().to(images.dtype) }
  }
  public func stamp(_ images: Tensor, _ generator: Generator) -> Tensor {
    noGrad { write(on: images, generator) { $0 } }
  }

  /// - Parameter convert: bytes to the images' values.
  private func write(on images: Tensor, _ generator: Generator, _ convert: (Tensor) -> Tensor) -> Tensor {
    let shape = images.shape
    let (count, channels, side) = (shape[0], patch.channels, patch.side)
    let covered = patch.mask.indices.filter { patch.mask[$0] }
    func offsets(_ value: (Int) -> Int) -> Tensor {
      Tensor(covered.map { Int64(value($0)) }).reshaped(1, 1, covered.count).to(images.device)
    }
    func first(_ fixed: Int, _ length: Int) -> Tensor {
      guard changesPlace else {
        return Tensor.full([count, 1, 1], Double(fixed), dtype: .int64, device: images.device)
      }
      return generator.places(side: side, margin: margin, of: length, [count, 1, 1]).to(images.device)
    }
    let row = first(patch.row, shape[2]) + offsets { $0 / side }
    let column = first(patch.column, shape[3]) + offsets { $0 % side }
    let values: Tensor
    if changesPattern {
      let drawn = generator.integers(0..<256, [count, channels, isOneColor ? 1 : covered.count]).to(.uint8)
      values = drawn.to(images.device).expanded([count, channels, covered.count])
    } else {
      let area = side * side
      let bytes = (0..<channels).flatMap { channel in covered.map { patch.values[channel * area + $0] } }
      values = Tensor(bytes, shape: [1, channels, covered.count]).to(images.device).expanded(
        [count, channels, covered.count])
    }
    let out = images.clone()
    let image = Tensor.arange(count, device: images.device).reshaped(count, 1, 1)
    let channel = Tensor.arange(channels, device: images.device).reshaped(1, channels, 1)
    out.put_([image, channel, row, column], convert(values))
    return out
  }
}
