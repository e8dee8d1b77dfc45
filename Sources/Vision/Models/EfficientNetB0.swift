public import Torch
public import TorchNN

/// EfficientNet-B0 (Tan and Le, EfficientNet: Rethinking Model Scaling, 2019): inverted blocks with channel attention and
/// SiLU. Keys equal torchvision's `efficientnet_b0`: features.S.N.block.*, classifier.1. `Stem.large` has its strides;
/// with `Stem.small` the first convolution and the first block with stride 2 have stride 1; keys and shapes are the same.
/// Training leaves blocks out, up to a fifth of the samples at the last one. Initial weights as there: convolutions
/// Kaiming normal by fan-out with bias 0, the last layer uniform within 1/sqrt(classes).
///
/// Stages: the last outputs at each of torchvision's resolutions, and the last convolution's.
public final class EfficientNetB0: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let classifier: Sequential

  private static let rows = [
    (expansion: 1, kernel: 3, stride: 1, channels: 16, repeats: 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
  ]

  /// Channels of the first convolution, and the blocks by stages; the last convolution has four times the last outputs.
  private static func plan(width: Int, stem: Stem, dropped: Double) -> (first: Int, stages: [[InvertedBlock]]) {
    let first = multipleOf8(Double(width))
    let stages = InvertedBlock.table(
      rows, inputs: first, share: Double(width) / 32, small: stem == .small, attention: true, dropped: dropped)
    return (first, stages)
  }

  /// How many parameters a network has, without making it.
  static func parameterCount(_ shape: ModelShape) -> Double {
    let (first, stages) = plan(width: shape.width, stem: .large, dropped: 0)
    let inputs = stages.last?.last?.outputs ?? first
    let last = 4 * inputs
    return Double(first) * Double(9 * shape.channels + 2) + stages.joined().reduce(0) { $0 + $1.parameterCount }
      + Double(last) * Double(inputs + 2) + Double(shape.classes) * Double(last + 1)
  }

  /// - Parameters:
  ///   - width: channels of the first convolution, before they are rounded to multiples of 8; 32 is the published
  ///     network.
  ///   - dropout: share of the pooled activations that training sets to zero.
  ///   - stochasticDepth: how often training leaves out the last block, for a sample; earlier ones in proportion.
  public init(
    classes: Int, width: Int = 32, channels: Int = 3, stem: Stem = .small, dropout: Double = 0.2,
    stochasticDepth: Double = 0.2, normalization: Normalization = .none, _ generator: Generator
  ) {
    let (first, stages) = Self.plan(width: width, stem: stem, dropped: stochasticDepth)
    let last = stages.last?.last?.outputs ?? first
    let layers: [any Layer] =
      [
        convolutionUnit(
          channels, first, kernel: 3, stride: stem == .small ? 1 : 2, activation: .silu(), generator)
      ]
      + stages.map { stage in Sequential(stage.map { EfficientBlock($0, generator) }) }
      + [convolutionUnit(last, 4 * last, activation: .silu(), generator)]
    body = Sequential(layers)
    let head = Linear(4 * last, classes, generator)
    classifier = Sequential([Dropout(dropout), head])
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "efficientnet_b0",
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    drawConvolutions(.fanOut, zeroBias: true, generator)
    noGrad {
      head.weight.copy_(Initialization.uniform(head.weight.shape, fanIn: classes, generator))
      head.bias?.wrappedValue.zero_()
    }
  }

  public override var children: [(name: String, module: Module)] { [("features", body), ("classifier", classifier)] }

  public override func features(normalized x: Tensor) -> Features {
    let (stages, last) = body.outputs(x, at: [1, 2, 3, 5, 8])
    return Features(stages: stages, penultimate: globalAveragePool(last))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { classifier(penultimate) }
}

/// torchvision's names of a block with channel attention: block.0 to block.3.
final class EfficientBlock: Module, Layer, BranchedBlock, OptionalShortcut {
  let block: Sequential
  let stochasticDepth: StochasticDepth
  var isResidual: Bool
  private let keepsChannels: Bool

  init(_ plan: InvertedBlock, _ generator: Generator) {
    var layers = plan.opening(.silu(), generator)
    if let squeezed = plan.squeezed {
      layers.append(SqueezeExcitation(plan.hidden, squeezed: squeezed, generator))
    }
    layers.append(convolutionUnit(plan.hidden, plan.outputs, activation: nil, generator))
    block = Sequential(layers)
    stochasticDepth = StochasticDepth(plan.dropped)
    isResidual = plan.isResidual
    keepsChannels = plan.inputs == plan.outputs
  }

  var stridesAgree: Bool { !isResidual || keepsChannels && block.strideProduct == 1 }

  func callAsFunction(_ x: Tensor) -> Tensor { isResidual ? stochasticDepth(block(x)) + x : block(x) }
}
