public import Torch
import TorchNN

/// ResNet18 (He et al., Deep Residual Learning for Image Recognition, 2016), in two flavours.
///
/// - `Stem.small`, for images of about 32 pixels: 3x3 stem without max-pool. Keys conv1, bn1,
///   layer{1-4}.{0,1}.{conv1,bn1,conv2,bn2,shortcut.0,shortcut.1}, linear, as the CIFAR code of the backdoor literature
///   has them; PyTorch's default initial weights, as there.
/// - `Stem.large`, torchvision's `resnet18`: 7x7 stem with stride 2, max-pool. Keys with downsample.0, downsample.1 and
///   fc instead; convolutions start Kaiming normal by fan-out, as there.
///
/// Stages: the outputs of the four layers. Any square image from 28 pixels on.
public final class ResNet18: Classifier {
  let conv1: Conv2d
  let bn1: BatchNorm2d
  let layer1: [BasicBlock]
  let layer2: [BasicBlock]
  let layer3: [BasicBlock]
  let layer4: [BasicBlock]
  let linear: Linear?
  let fc: Linear?
  public let stem: Stem

  /// - Parameter width: channels of the first stage; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, stem: Stem = .small, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    conv1 =
      switch stem {
      case .small: Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)
      case .large: Conv2d(channels, width, kernel: 7, stride: 2, padding: 3, bias: false, generator)
      }
    bn1 = BatchNorm2d(width)
    func stage(_ inputs: Int, _ outputs: Int, stride: Int) -> [BasicBlock] {
      [
        BasicBlock(inputs, outputs, stride: stride, stem, generator),
        BasicBlock(outputs, outputs, stride: 1, stem, generator),
      ]
    }
    layer1 = stage(width, width, stride: 1)
    layer2 = stage(width, 2 * width, stride: 2)
    layer3 = stage(2 * width, 4 * width, stride: 2)
    layer4 = stage(4 * width, 8 * width, stride: 2)
    let last = Linear(8 * width, classes, generator)
    linear = stem == .small ? last : nil
    fc = stem == .large ? last : nil
    self.stem = stem
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "resnet18",
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    if stem == .large { drawConvolutions(.fanOut, generator) }
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = bn1(conv1(x), relu: true)
    if stem == .large { x = F.maxPool2d(x, kernel: 3, stride: 2, padding: 1) }
    var stages: [Tensor] = []
    for layer in [layer1, layer2, layer3, layer4] {
      for block in layer { x = block(x) }
      stages.append(x)
    }
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor {
    guard let last = linear ?? fc else { fatalError("ResNet18 has lost its last layer") }
    return last(penultimate)
  }
}

/// Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution with BatchNorm where the shape changes. The
/// flavours differ in the shortcut's name.
final class BasicBlock: Module, Layer {
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
    let projection =
      stride != 1 || inputs != outputs
      ? Sequential([Conv2d(inputs, outputs, kernel: 1, stride: stride, bias: false, generator), BatchNorm2d(outputs)])
      : nil
    shortcut = stem == .small ? projection : nil
    downsample = stem == .large ? projection : nil
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = bn1(conv1(x), relu: true)
    y = bn2(conv2(y))
    y = y + ((shortcut ?? downsample).map { $0(x) } ?? x)
    return y.relu()
  }
}
