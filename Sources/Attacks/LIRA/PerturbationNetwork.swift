import Torch
import TorchNN

/// What makes LIRA's perturbation of an image: C x H x W in (-1, 1), to be multiplied by the bound.
class PerturbationNetwork: Module {
  func callAsFunction(_ pixels: Tensor) -> Tensor { fatalError("\(type(of: self)) must override callAsFunction") }
}

/// A U-Net (Ronneberger et al. 2015) as LIRA has it: four levels of two 3x3 convolutions with BatchNorm and ReLU, joined by
/// max-pools; bilinear enlargements (corners aligned), each followed by what its level gave on the way down; a 1x1
/// convolution with BatchNorm, and tanh. Enlarges to the sizes that the max-pools halved.
final class UNet: PerturbationNetwork {
  let down: [DoubleConvolution]
  let up: [DoubleConvolution]
  let last: Conv2d
  let lastNorm: BatchNorm2d

  /// - Parameter width: channels of the first level; each further one has twice as many.
  init(channels: Int, width: Int, _ generator: Generator) {
    let widths = (0..<4).map { width << $0 }
    down = widths.indices.map { DoubleConvolution($0 == 0 ? channels : widths[$0 - 1], widths[$0], generator) }
    up = (0..<3).reversed().map { DoubleConvolution(widths[$0 + 1] + widths[$0], widths[$0], generator) }
    last = Conv2d(width, channels, kernel: 1, generator)
    lastNorm = BatchNorm2d(channels)
  }

  override func callAsFunction(_ pixels: Tensor) -> Tensor {
    var x = pixels
    var passed: [Tensor] = []
    for block in down.dropLast() {
      x = block(x)
      passed.append(x)
      x = F.maxPool2d(x, kernel: 2)
    }
    x = down[3](x)
    for (block, beside) in zip(up, passed.reversed()) {
      x = F.interpolate(
        x, height: beside.dimension(2), width: beside.dimension(3), mode: .bilinear, alignCorners: true)
      x = block(Tensor.concatenated([x, beside], 1))
    }
    return lastNorm(last(x)).to(.float32).tanh()
  }
}

/// Two 3x3 convolutions with BatchNorm and ReLU.
final class DoubleConvolution: Module {
  let conv1: Conv2d
  let norm1: BatchNorm2d
  let conv2: Conv2d
  let norm2: BatchNorm2d

  init(_ inputs: Int, _ outputs: Int, _ generator: Generator) {
    conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1, generator)
    norm1 = BatchNorm2d(outputs)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, generator)
    norm2 = BatchNorm2d(outputs)
  }
  func callAsFunction(_ x: Tensor) -> Tensor { norm2(conv2(norm1(conv1(x), relu: true)), relu: true) }
}

/// LIRA's autoencoder: 4x4 convolutions of stride 2 down, as many transposed ones up, with BatchNorm and ReLU between them,
/// and tanh. Sides have to be divisible by 2 to the number of levels.
final class PerturbationAutoencoder: PerturbationNetwork {
  let encoder: [Conv2d]
  let encoderNorms: [BatchNorm2d]
  let decoder: [ConvTranspose2d]
  let decoderNorms: [BatchNorm2d]

  /// - Parameter width: channels of the first of four levels; each further one has twice as many.
  init(channels: Int, width: Int, _ generator: Generator) {
    let widths = [channels] + (0..<PerturbationAutoencoder.levels).map { width << $0 }
    encoder = (1...PerturbationAutoencoder.levels).map {
      Conv2d(widths[$0 - 1], widths[$0], kernel: 4, stride: 2, padding: 1, generator)
    }
    encoderNorms = widths.dropFirst().map { BatchNorm2d($0) }
    decoder = (1...PerturbationAutoencoder.levels).reversed().map {
      ConvTranspose2d(widths[$0], widths[$0 - 1], kernel: 4, stride: 2, padding: 1, generator)
    }
    decoderNorms = widths.dropFirst().dropLast().reversed().map { BatchNorm2d($0) }
  }
  static let levels = 4

  override func callAsFunction(_ pixels: Tensor) -> Tensor {
    var x = pixels
    for (layer, norm) in zip(encoder, encoderNorms) { x = norm(layer(x), relu: true) }
    for (layer, norm) in zip(decoder, decoderNorms) { x = norm(layer(x), relu: true) }
    return decoder[decoder.count - 1](x).to(.float32).tanh()
  }
}
