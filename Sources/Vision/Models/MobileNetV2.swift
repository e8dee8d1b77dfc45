public import Torch
public import TorchNN

/// MobileNetV2 (Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018). Keys equal torchvision's
/// `mobilenet_v2`: features.N.conv.*, classifier.1. `Stem.large` has its strides; with `Stem.small` the first
/// convolution and the first block with stride 2 have stride 1, so that an image of 32 pixels ends at 4x4; keys and
/// shapes are the same. Initial weights as there: convolutions Kaiming normal by fan-out, the last layer N(0, 0.01).
///
/// Stages: the last outputs at each of torchvision's resolutions, and the last convolution's.
public final class MobileNetV2: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let classifier: Sequential

  private static let rows = [
    (expansion: 1, kernel: 3, stride: 1, channels: 16, repeats: 1), (6, 3, 2, 24, 2), (6, 3, 2, 32, 3),
    (6, 3, 2, 64, 4), (6, 3, 1, 96, 3), (6, 3, 2, 160, 3), (6, 3, 1, 320, 1),
  ]

  /// Channels of the first convolution, the blocks, and channels of the last convolution.
  private static func plan(width: Int, stem: Stem) -> (first: Int, blocks: [InvertedBlock], last: Int) {
    let share = Double(width) / 32
    let first = multipleOf8(Double(width))
    let blocks = InvertedBlock.table(rows, inputs: first, share: share, small: stem == .small, attention: false)
    return (first, blocks.flatMap { $0 }, multipleOf8(1280 * max(1, share)))
  }

  /// How many parameters a network has, without making it.
  static func parameterCount(_ shape: ModelShape) -> Double {
    let (first, blocks, last) = plan(width: shape.width, stem: .large)
    let inputs = blocks.last?.outputs ?? first
    return Double(first) * Double(9 * shape.channels + 2) + blocks.reduce(0) { $0 + $1.parameterCount }
      + Double(last) * Double(inputs + 2) + Double(shape.classes) * Double(last + 1)
  }

  /// - Parameters:
  ///   - width: channels of the first convolution, before they are rounded to multiples of 8; 32 is the published
  ///     network, and 16 torchvision's `width_mult=0.5`.
  ///   - dropout: share of the pooled activations that training sets to zero.
  public init(
    classes: Int, width: Int = 32, channels: Int = 3, stem: Stem = .small, dropout: Double = 0.2,
    normalization: Normalization = .none, _ generator: Generator
  ) {
    let (first, blocks, last) = Self.plan(width: width, stem: stem)
    let stride = stem == .small ? 1 : 2
    body = Sequential(
      [convolutionUnit(channels, first, kernel: 3, stride: stride, activation: .relu6(), generator)]
        + blocks.map { MobileBlock($0, generator) }
        + [convolutionUnit(blocks.last?.outputs ?? first, last, activation: .relu6(), generator)])
    classifier = Sequential([Dropout(dropout), Linear(last, classes, generator)])
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "mobilenet_v2",
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    drawConvolutions(.fanOut, generator)
    classifier.drawNormal(0.01, generator)
  }

  public override var children: [(name: String, module: Module)] { [("features", body), ("classifier", classifier)] }

  public override func features(normalized x: Tensor) -> Features {
    let (stages, last) = body.outputs(x, at: [1, 3, 6, 13, 18])
    return Features(stages: stages, penultimate: globalAveragePool(last))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { classifier(penultimate) }
}

/// torchvision's names of an inverted block: conv.0 to conv.3.
final class MobileBlock: Module, Layer, BranchedBlock, OptionalShortcut {
  let conv: Sequential
  var isResidual: Bool
  private let keepsChannels: Bool

  init(_ block: InvertedBlock, _ generator: Generator) {
    var layers = block.opening(.relu6(), generator)
    layers.append(Conv2d(block.hidden, block.outputs, kernel: 1, bias: false, generator))
    layers.append(BatchNorm2d(block.outputs))
    conv = Sequential(layers)
    isResidual = block.isResidual
    keepsChannels = block.inputs == block.outputs
  }

  var stridesAgree: Bool { !isResidual || keepsChannels && conv.strideProduct == 1 }

  func callAsFunction(_ x: Tensor) -> Tensor { isResidual ? x + conv(x) : conv(x) }
}
