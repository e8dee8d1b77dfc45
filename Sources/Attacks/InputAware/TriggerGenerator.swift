import Torch
import TorchNN
import Vision

/// The encoder and decoder that Input-Aware makes patterns and masks with (Nguyen, Tran 2020, appendix; their code): per
/// level two convolutions and a max-pool down, one convolution in the middle, per level a bilinear enlargement and two
/// convolutions up; 32, 64 and 128 channels. Each convolution is 3x3, with BatchNorm (momentum .05) and ReLU, but for the
/// last one, which has no ReLU.
///
/// Takes pixel images; the data set's normalisation is its first layer and part of its state. Gives numbers in (0, 1):
/// `tanh(z) / (2 + 1e-7) + .5`. Enlarges to the sizes that the max-pools halved, so that the sides need not be powers of
/// two.
final class TriggerGenerator: Module {
  @Buffer var mean: Tensor
  @Buffer var deviation: Tensor
  let down: [ConvolutionBlock]
  let middle: ConvolutionBlock
  let up: [ConvolutionBlock]

  /// - Parameters:
  ///   - outputs: channels of the result.
  ///   - width: channels of the first level; each further one has twice as many.
  init(
    channels: Int, outputs: Int, width: Int, levels: Int, normalization: Normalization, _ generator: Generator
  ) {
    let plain = normalization.mean.isEmpty
    mean = Tensor(plain ? [Float](repeating: 0, count: channels) : normalization.mean, shape: [1, channels, 1, 1])
    deviation = Tensor(
      plain ? [Float](repeating: 1, count: channels) : normalization.standardDeviation, shape: [1, channels, 1, 1])
    let widths = (0..<levels).map { width << $0 }
    down = widths.enumerated().flatMap { level, own in
      [
        ConvolutionBlock(level == 0 ? channels : widths[level - 1], own, generator),
        ConvolutionBlock(own, own, generator),
      ]
    }
    let deepest = widths.last ?? channels
    middle = ConvolutionBlock(deepest, deepest, generator)
    up = (0..<levels).reversed().flatMap { level in
      [
        ConvolutionBlock(widths[level], widths[level], generator),
        level == 0
          ? ConvolutionBlock(widths[0], outputs, relu: false, generator)
          : ConvolutionBlock(widths[level], widths[level - 1], generator),
      ]
    }
  }

  func callAsFunction(_ pixels: Tensor) -> Tensor {
    var x = (pixels - mean) / deviation
    var sizes: [(height: Int, width: Int)] = []
    for level in 0..<(down.count / 2) {
      sizes.append((x.dimension(2), x.dimension(3)))
      x = F.maxPool2d(down[2 * level + 1](down[2 * level](x)), kernel: 2)
    }
    x = middle(x)
    for (step, size) in sizes.reversed().enumerated() {
      x = F.interpolate(x, height: size.height, width: size.width, mode: .bilinear)
      x = up[2 * step + 1](up[2 * step](x))
    }
    return Self.unit(x.to(.float32))
  }

  /// A mask of the output: nearly 0 or 1.
  static func threshold(_ output: Tensor) -> Tensor { unit(output * 20 - 10) }
  private static func unit(_ x: Tensor) -> Tensor { x.tanh() / (2 + 1e-7) + 0.5 }

  /// How far two batches of images differ, per image: the 2-norm over the square root of its length, in normalised
  /// pixels.
  func distance(_ a: Tensor, _ b: Tensor) -> Tensor { Self.distance(a / deviation, b / deviation) }
  /// The same in the images' own units. Two equal images have no slope here rather than an infinite one.
  static func distance(_ a: Tensor, _ b: Tensor) -> Tensor {
    (a - b).square().mean([1, 2, 3]).clamped(min: 1e-14).sqrt()
  }
}

/// Convolution, BatchNorm, ReLU.
final class ConvolutionBlock: Module {
  let conv: Conv2d
  let norm: BatchNorm2d
  private let relu: Bool

  init(_ inputs: Int, _ outputs: Int, relu: Bool = true, _ generator: Generator) {
    conv = Conv2d(inputs, outputs, kernel: 3, padding: 1, generator)
    norm = BatchNorm2d(outputs, momentum: 0.05)
    self.relu = relu
  }
  func callAsFunction(_ x: Tensor) -> Tensor { norm(conv(x), relu: relu) }
}
