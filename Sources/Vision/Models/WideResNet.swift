public import Torch
import TorchNN

/// Wide residual networks for small images (Zagoruyko and Komodakis, Wide Residual Networks, 2016): WRN-28-10 has depth
/// 28 and widen factor 10. Three groups of (depth - 4) / 6 blocks with BatchNorm and ReLU before each convolution. Keys
/// conv1, block{1-3}.layer.N.{bn1,conv1,bn2,conv2,convShortcut}, bn1, fc, as the usual PyTorch port and the code of the
/// backdoor literature have them. Convolutions start Kaiming normal by fan-out, the last layer's bias at 0, as there.
///
/// Stages: the outputs of the three groups, the last one after its BatchNorm and ReLU.
public final class WideResNet: Classifier {
  let conv1: Conv2d
  let block1: WideGroup
  let block2: WideGroup
  let block3: WideGroup
  let bn1: BatchNorm2d
  let fc: Linear

  /// - Parameters:
  ///   - width: channels of the first convolution; 16 is the published network.
  ///   - depth: 6n + 4, for n blocks a group.
  ///   - widen: how many times the width the first group has; the next ones have twice and four times that.
  public init(
    classes: Int, width: Int = 16, depth: Int = 28, widen: Int = 10, channels: Int = 3,
    normalization: Normalization = .none, _ generator: Generator
  ) {
    require(depth >= 10 && (depth - 4) % 6 == 0, "WideResNet: depth \(depth) is not 6n + 4")
    let (blocks, size) = ((depth - 4) / 6, width * widen)
    conv1 = Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)
    block1 = WideGroup(width, size, blocks: blocks, stride: 1, generator)
    block2 = WideGroup(size, 2 * size, blocks: blocks, stride: 2, generator)
    block3 = WideGroup(2 * size, 4 * size, blocks: blocks, stride: 2, generator)
    bn1 = BatchNorm2d(4 * size)
    fc = Linear(4 * size, classes, generator)
    super.init(classes: classes, normalization: normalization)
    var shape = ModelShape(classes: classes, width: width, channels: channels, normalization: normalization)
    (shape.depth, shape.widen) = (depth, widen)
    spec = ModelSpec(kind: "wideresnet", shape: shape)
    drawConvolutions(.fanOut, generator)
    noGrad { fc.bias?.wrappedValue.zero_() }
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = block1(conv1(x))
    var stages = [x]
    x = block2(x)
    stages.append(x)
    x = bn1(block3(x), relu: true)
    stages.append(x)
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { fc(penultimate) }
}

/// Blocks one after another; the first one changes channels and resolution.
final class WideGroup: Module, Layer {
  let layer: [PreActBlock]

  init(_ inputs: Int, _ outputs: Int, blocks: Int, stride: Int, _ generator: Generator) {
    layer = (0..<blocks).map {
      PreActBlock($0 == 0 ? inputs : outputs, outputs, stride: $0 == 0 ? stride : 1, wide: true, generator)
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor { layer.reduce(x) { $1($0) } }
}
