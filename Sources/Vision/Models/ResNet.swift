public import Torch
import TorchNN

/// Residual networks for ImageNet's sizes and for small images (He et al., Deep Residual Learning for Image Recognition,
/// 2016), in two flavours.
///
/// - `Stem.small`, for images of about 32 pixels: 3x3 stem without max-pool. Keys conv1, bn1,
///   layer{1-4}.N.{conv1,bn1,conv2,bn2,shortcut.0,shortcut.1}, linear, as the CIFAR code of the backdoor literature
///   has them; PyTorch's default initial weights, as there.
/// - `Stem.large`, torchvision's `resnet18`, `resnet34` and `resnet50`: 7x7 stem with stride 2, max-pool. Keys with
///   downsample.0, downsample.1 and fc instead; convolutions start Kaiming normal by fan-out, as there.
///
/// Stages: the outputs of the four layers. Any square image from 8 pixels on.
public class ResNet: Classifier {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  /// After the stem; the small one has none, which is a kernel of 1.
  let maxpool: MaxPool2d
  let layer1: [ResidualBlock]
  let layer2: [ResidualBlock]
  let layer3: [ResidualBlock]
  let layer4: [ResidualBlock]
  let linear: Linear?
  let fc: Linear?
  public let stem: Stem

  /// - Parameters:
  ///   - blocks: how many of them each of the four layers has.
  ///   - bottleneck: three convolutions a block, whose output has four times the channels.
  init(
    kind: String, blocks: [Int], bottleneck: Bool, classes: Int, width: Int, channels: Int, stem: Stem,
    normalization: Normalization, _ generator: Generator
  ) {
    conv1 =
      switch stem {
      case .small: Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)
      case .large: Conv2d(channels, width, kernel: 7, stride: 2, padding: 3, bias: false, generator)
      }
    bn1 = BatchNorm2d(width)
    maxpool = stem == .small ? MaxPool2d(kernel: 1) : MaxPool2d(kernel: 3, stride: 2, padding: 1)
    var inputs = width
    func stage(_ number: Int) -> [ResidualBlock] {
      (0..<blocks[number]).map { index in
        let stride = index == 0 && number > 0 ? 2 : 1
        let planes = width << number
        let block: ResidualBlock =
          bottleneck
          ? Bottleneck(inputs, planes, stride: stride, stem, generator)
          : BasicBlock(inputs, planes, stride: stride, stem, generator)
        inputs = bottleneck ? 4 * planes : planes
        return block
      }
    }
    layer1 = stage(0)
    layer2 = stage(1)
    layer3 = stage(2)
    layer4 = stage(3)
    let last = Linear(inputs, classes, generator)
    linear = stem == .small ? last : nil
    fc = stem == .large ? last : nil
    self.stem = stem
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: kind,
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    if stem == .large { drawConvolutions(.fanOut, generator) }
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = maxpool(bn1(conv1(x), relu: true))
    var stages: [Tensor] = []
    for layer in [layer1, layer2, layer3, layer4] {
      for block in layer { x = block(x) }
      stages.append(x)
    }
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor {
    guard let last = linear ?? fc else { fatalError("ResNet has lost its last layer") }
    return last(penultimate)
  }
}

/// ResNet18: two 3x3 convolutions a block, 2, 2, 2, 2 of them.
public final class ResNet18: ResNet {
  /// - Parameter width: channels of the first stage; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, stem: Stem = .small, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    super.init(
      kind: "resnet18", blocks: [2, 2, 2, 2], bottleneck: false, classes: classes, width: width, channels: channels,
      stem: stem, normalization: normalization, generator)
  }
}

/// ResNet34: two 3x3 convolutions a block, 3, 4, 6, 3 of them.
public final class ResNet34: ResNet {
  /// - Parameter width: channels of the first stage; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, stem: Stem = .small, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    super.init(
      kind: "resnet34", blocks: [3, 4, 6, 3], bottleneck: false, classes: classes, width: width, channels: channels,
      stem: stem, normalization: normalization, generator)
  }
}

/// ResNet50: bottleneck blocks, 3, 4, 6, 3 of them.
public final class ResNet50: ResNet {
  /// - Parameter width: channels of the first stage's 3x3 convolutions; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, stem: Stem = .small, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    super.init(
      kind: "resnet50", blocks: [3, 4, 6, 3], bottleneck: true, classes: classes, width: width, channels: channels,
      stem: stem, normalization: normalization, generator)
  }
}

/// A block of `ResNet`.
class ResidualBlock: Module, Layer, BranchedBlock {
  func callAsFunction(_ x: Tensor) -> Tensor { fatalError("\(type(of: self)) must override callAsFunction") }

  var stridesAgree: Bool { fatalError("\(type(of: self)) must override stridesAgree") }

  /// A 1x1 convolution with BatchNorm where the shape changes.
  static func projection(_ inputs: Int, _ outputs: Int, stride: Int, _ generator: Generator) -> Sequential? {
    guard stride != 1 || inputs != outputs else { return nil }
    return Sequential([
      Conv2d(inputs, outputs, kernel: 1, stride: stride, bias: false, generator), BatchNorm2d(outputs),
    ])
  }
}

/// Two 3x3 convolutions beside a shortcut. The flavours differ in the shortcut's name.
final class BasicBlock: ResidualBlock {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let conv2: Conv2d
  let bn2: BatchNorm2d
  let shortcut: Sequential?
  let downsample: Sequential?

  init(_ inputs: Int, _ outputs: Int, stride: Int, _ stem: Stem, _ generator: Generator) {
    conv1 = Conv2d(inputs, outputs, kernel: 3, stride: stride, padding: 1, bias: false, generator)
    bn1 = BatchNorm2d(outputs)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false, generator)
    bn2 = BatchNorm2d(outputs)
    let projection = Self.projection(inputs, outputs, stride: stride, generator)
    shortcut = stem == .small ? projection : nil
    downsample = stem == .large ? projection : nil
  }

  override var stridesAgree: Bool {
    conv1.stride * conv2.stride == (shortcut ?? downsample)?.strideProduct ?? 1
  }

  override func callAsFunction(_ x: Tensor) -> Tensor {
    var y = bn1(conv1(x), relu: true)
    y = bn2(conv2(y))
    y = y + ((shortcut ?? downsample).map { $0(x) } ?? x)
    return y.relu()
  }
}

/// A 1x1, a 3x3 and a 1x1 convolution beside a shortcut; the stride is the 3x3 one's, as in torchvision.
final class Bottleneck: ResidualBlock {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let conv2: Conv2d
  let bn2: BatchNorm2d
  let conv3: Conv2d
  let bn3: BatchNorm2d
  let shortcut: Sequential?
  let downsample: Sequential?

  init(_ inputs: Int, _ planes: Int, stride: Int, _ stem: Stem, _ generator: Generator) {
    conv1 = Conv2d(inputs, planes, kernel: 1, bias: false, generator)
    bn1 = BatchNorm2d(planes)
    conv2 = Conv2d(planes, planes, kernel: 3, stride: stride, padding: 1, bias: false, generator)
    bn2 = BatchNorm2d(planes)
    conv3 = Conv2d(planes, 4 * planes, kernel: 1, bias: false, generator)
    bn3 = BatchNorm2d(4 * planes)
    let projection = Self.projection(inputs, 4 * planes, stride: stride, generator)
    shortcut = stem == .small ? projection : nil
    downsample = stem == .large ? projection : nil
  }

  override var stridesAgree: Bool {
    conv1.stride * conv2.stride * conv3.stride == (shortcut ?? downsample)?.strideProduct ?? 1
  }

  override func callAsFunction(_ x: Tensor) -> Tensor {
    var y = bn1(conv1(x), relu: true)
    y = bn2(conv2(y), relu: true)
    y = bn3(conv3(y))
    y = y + ((shortcut ?? downsample).map { $0(x) } ?? x)
    return y.relu()
  }
}
