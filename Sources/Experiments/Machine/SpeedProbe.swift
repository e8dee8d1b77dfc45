import Foundation
import Torch

/// How fast this CPU convolves.
enum SpeedProbe {
  /// Billions of multiplications and additions a second of a 3x3 convolution, 128 to 128 channels at 16x16, forward and backward.
  /// - Parameter dtype: for autocast; nil is float32.
  static func gigaflops(_ dtype: DType?, seconds: Double) -> Double {
    let (batch, channels, side) = (32, 128, 16)
    let generator = Generator(seed: 0)
    let images = generator.uniform([batch, channels, side, side]).contiguous(.channelsLast).requiresGrad_()
    let weight = generator.uniform([channels, channels, 3, 3], -0.05, 0.05).contiguous(.channelsLast).requiresGrad_()
    let seed = Tensor.full([batch, channels, side, side], 1, dtype: dtype ?? .float32).contiguous(.channelsLast)
    func step() {
      autocast(dtype) { F.conv2d(images, weight, padding: 1) }.backward(gradient: seed)
      images.grad = nil
      weight.grad = nil
    }
    for _ in 0..<2 { step() }
    let start = Date()
    var steps = 0
    var elapsed = 0.0
    repeat {
      step()
      steps += 1
      elapsed = Date().timeIntervalSince(start)
    } while elapsed < seconds
    // Two operations a multiplication with addition; forward, input gradient and weight gradient.
    let operations = 3.0 * 2 * Double(batch * side * side * channels * channels * 9)
    return operations * Double(steps) / elapsed / 1e9
  }
}
