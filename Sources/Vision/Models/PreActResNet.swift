public import Torch
import TorchNN

/// PreAct-ResNet18 for small images, in the flavour of the backdoor benchmarks: no BatchNorm and ReLU after the last
/// block. (He et al., Identity Mappings in Deep Residual Networks, 2016.) Keys: conv1,
/// layer{1-4}.{0,1}.{bn1,conv1,bn2,conv2,shortcut.0}, linear.
public final class PreActResNet18: Classifier {
  let conv1: Conv2d
  let layer1: [PreActBlock]
  let layer2: [PreActBlock]
  let layer3: [PreActBlock]
  let layer4: [PreActBlock]
  let linear: Linear

  /// - Parameter width: channels of the first stage; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, normalization: Normalization = .none, _ generator: Generator
  ) {
    conv1 = Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)
    func stage(_ inputs: Int, _ outputs: Int, stride: Int) -> [PreActBlock] {
      [PreActBlock(inputs, outputs, stride: stride, generator), PreActBlock(outputs, outputs, stride: 1, generator)]
    }
    layer1 = stage(width, width, stride: 1)
    layer2 = stage(width, 2 * width, stride: 2)
    layer3 = stage(2 * width, 4 * width, stride: 2)
    layer4 = stage(4 * width, 8 * width, stride: 2)
    linear = Linear(8 * width, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "preactresnet18",
      shape: ModelShape(classes: classes, width: width, channels: channels, normalization: normalization))
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = conv1(x)
    var stages: [Tensor] = []
    for layer in [layer1, layer2, layer3, layer4] {
      for block in layer { x = block(x) }
      stages.append(x)
    }
    return Features(stages: stages, penultimate: F.adaptiveAvgPool2d(x, 1, 1).flattened(1))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}

/// BatchNorm and ReLU come before each convolution; the shortcut convolution reads the activated input.
final class PreActBlock: Module, Layer, BranchedBlock {
  let bn1: BatchNorm2d
  let conv1: Conv2d
  let bn2: BatchNorm2d
  let conv2: Conv2d
  private let shortcut: (any Module & Layer)?
  private let shortcutName: String

  /// - Parameter wide: under the names of wide ResNets, whose shortcut is a convolution by itself.
  init(_ inputs: Int, _ outputs: Int, stride: Int, wide: Bool = false, _ generator: Generator) {
    shortcutName = wide ? "convShortcut" : "shortcut"
    bn1 = BatchNorm2d(inputs)
    conv1 = Conv2d(inputs, outputs, kernel: 3, stride: stride, padding: 1, bias: false, generator)
    bn2 = BatchNorm2d(outputs)
    conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1, bias: false, generator)
    guard stride != 1 || inputs != outputs else {
      shortcut = nil
      return
    }
    let conv = Conv2d(inputs, outputs, kernel: 1, stride: stride, bias: false, generator)
    shortcut = wide ? conv : Sequential([conv])
  }

  override var children: [(name: String, module: Module)] {
    [("bn1", bn1), ("conv1", conv1), ("bn2", bn2), ("conv2", conv2)] + (shortcut.map { [(shortcutName, $0)] } ?? [])
  }

  var stridesAgree: Bool { conv1.stride * conv2.stride == shortcut?.strideProduct ?? 1 }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let h = bn1(x, relu: true)
    let y = conv2(bn2(conv1(h), relu: true))
    y.add_(shortcut.map { $0(h) } ?? x)
    return y
  }
}
