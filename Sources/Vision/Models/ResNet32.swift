public import Torch
import TorchNN

/// ResNet32 for small images (He et al., Deep Residual Learning for Image Recognition, 2016, section 4.2): n = 5 blocks
/// in each of three stages, 6n + 2 = 32 weighted layers, shortcuts of option A without weights. Keys conv1, bn1,
/// layer{1-3}.{0-4}.{conv1,bn1,conv2,bn2}, linear. Convolutions and the last layer start Kaiming normal by fan-in, as
/// in the usual PyTorch port.
///
/// Stages: the outputs of the three layers. 464,154 parameters at width 16 with 10 classes.
public final class ResNet32: Classifier {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let layer1: [OptionABlock]
  let layer2: [OptionABlock]
  let layer3: [OptionABlock]
  let linear: Linear

  /// - Parameter width: channels of the first stage, an even number; 16 is the published network.
  public init(
    classes: Int, width: Int = 16, channels: Int = 3, normalization: Normalization = .none, _ generator: Generator
  ) {
    require(width % 2 == 0, "ResNet32: width \(width) is odd; its shortcuts add half as many channels on either side")
    conv1 = Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)
    bn1 = BatchNorm2d(width)
    func stage(_ inputs: Int, _ outputs: Int) -> [OptionABlock] {
      (0..<5).map { OptionABlock($0 == 0 ? inputs : outputs, outputs, generator) }
    }
    layer1 = stage(width, width)
    layer2 = stage(width, 2 * width)
    layer3 = stage(2 * width, 4 * width)
    linear = Linear(4 * width, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "resnet32",
      shape: ModelShape(classes: classes, width: width, channels: channels, normalization: normalization))
    drawConvolutions(.fanIn, generator)
    noGrad { linear.weight.copy_(Initialization.kaimingNormal([classes, 4 * width], fan: 4 * width, generator)) }
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = bn1(conv1(x), relu: true)
    var stages: [Tensor] = []
    for layer in [layer1, layer2, layer3] {
      for block in layer { x = block(x) }
      stages.append(x)
    }
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}

/// Two 3x3 convolutions. Where channels double, resolution halves, and the shortcut takes every second pixel and gets
/// half of the new channels as zeros on either side.
final class OptionABlock: Module, Layer, BranchedBlock {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let conv2: Conv2d
  let bn2: BatchNorm2d
  private let zeroChannels: Int

  init(_ inputs: Int, _ outputs: Int, _ generator: Generator) {
    conv1 = Conv2d(inputs, outputs, kernel: 3, stride: inputs == outputs ? 1 : 2, padding: 1, bias: false, generator)
    bn1 = BatchNorm2d(outputs)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false, generator)
    bn2 = BatchNorm2d(outputs)
    zeroChannels = (outputs - inputs) / 2
  }

  var stridesAgree: Bool { conv1.stride * conv2.stride == (zeroChannels > 0 ? 2 : 1) }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = bn1(conv1(x), relu: true)
    y = bn2(conv2(y))
    y = y + shortcut(x)
    return y.relu()
  }

  private func shortcut(_ x: Tensor) -> Tensor {
    guard zeroChannels > 0 else { return x }
    let shape = x.shape
    return x.narrowed(2, 0..<shape[2], step: 2).narrowed(3, 0..<shape[3], step: 2).padded([
      0, 0, 0, 0, zeroChannels, zeroChannels,
    ])
  }
}
