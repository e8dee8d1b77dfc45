import Torch
import TorchNN

/// One block of MobileNetV2 and EfficientNet: a 1x1 convolution to more channels, one of each channel by itself, channel
/// attention where there is one, and a 1x1 convolution without activation (Sandler et al., MobileNetV2, 2018).
struct InvertedBlock {
  var inputs: Int
  /// Channels inside; the first convolution is left out where these are the inputs.
  var hidden: Int
  var outputs: Int
  var kernel: Int
  var stride: Int
  /// Channels between the layers of the channel attention; nil is none.
  var squeezed: Int?
  /// How often training leaves the block out.
  var dropped = 0.0

  /// The input is added to the output: where the published network has stride 1 and as many outputs as inputs.
  var isResidual: Bool

  var parameterCount: Double {
    var sum = 0
    func convolution(_ weights: Int, _ channels: Int) { sum += weights + 2 * channels }
    if hidden != inputs { convolution(inputs * hidden, hidden) }
    convolution(hidden * kernel * kernel, hidden)
    if let squeezed { sum += 2 * hidden * squeezed + squeezed + hidden }
    convolution(hidden * outputs, outputs)
    return Double(sum)
  }

  /// The convolution to more channels, where there is one, and the one of each channel by itself.
  func opening(_ activation: @autoclosure () -> Lambda, _ generator: Generator) -> [any Layer] {
    var layers: [any Layer] = []
    if hidden != inputs { layers.append(convolutionUnit(inputs, hidden, activation: activation(), generator)) }
    layers.append(
      convolutionUnit(
        hidden, hidden, kernel: kernel, stride: stride, groups: hidden, activation: activation(), generator))
    return layers
  }

  /// Blocks of a network by its table, whose rows are: expansion, kernel, stride, channels, repeats.
  /// - Parameters:
  ///   - share: the width as a share of the published one.
  ///   - small: for images of about 32 pixels, the first stride is 1.
  ///   - attention: a quarter of a block's inputs between the layers of the channel attention.
  static func table(
    _ rows: [(expansion: Int, kernel: Int, stride: Int, channels: Int, repeats: Int)], inputs: Int, share: Double,
    small: Bool, attention: Bool, dropped: Double = 0
  ) -> [[InvertedBlock]] {
    var inputs = inputs
    var (number, strided) = (0, false)
    let count = rows.reduce(0) { $0 + $1.repeats }
    return rows.map { row in
      let stride = small && row.stride == 2 && !strided ? 1 : row.stride
      strided = strided || row.stride == 2
      let outputs = multipleOf8(Double(row.channels) * share)
      return (0..<row.repeats).map { index in
        defer {
          inputs = outputs
          number += 1
        }
        return InvertedBlock(
          inputs: inputs, hidden: row.expansion == 1 ? inputs : multipleOf8(Double(inputs * row.expansion)),
          outputs: outputs, kernel: row.kernel, stride: index == 0 ? stride : 1,
          squeezed: attention ? max(1, inputs / 4) : nil, dropped: dropped * Double(number) / Double(count),
          isResidual: (index > 0 || row.stride == 1) && inputs == outputs)
      }
    }
  }
}

/// Channels as MobileNet and EfficientNet round them: to multiples of 8, and not more than a tenth down.
func multipleOf8(_ channels: Double) -> Int {
  let rounded = max(8, Int(channels + 4) / 8 * 8)
  return Double(rounded) < 0.9 * channels ? rounded + 8 : rounded
}

/// A convolution with BatchNorm and an activation, under the names 0 and 1.
func convolutionUnit(
  _ inputs: Int, _ outputs: Int, kernel: Int = 1, stride: Int = 1, groups: Int = 1, activation: Lambda?,
  _ generator: Generator
) -> Sequential {
  let layers: [any Layer] = [
    Conv2d(
      inputs, outputs, kernel: kernel, stride: stride, padding: (kernel - 1) / 2, groups: groups, bias: false,
      generator),
    BatchNorm2d(outputs),
  ]
  return Sequential(layers + (activation.map { [$0] } ?? []))
}
