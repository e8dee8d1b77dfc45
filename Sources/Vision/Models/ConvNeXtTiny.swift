public import Torch
public import TorchNN

/// ConvNeXt-Tiny (Liu et al., A ConvNet for the 2020s, 2022): depthwise 7x7 convolutions, layer normalisation over
/// channels, GELU, learned scales of the residual branches. Keys equal torchvision's `convnext_tiny`:
/// features.{0,2,4,6}.{0,1}, features.{1,3,5,7}.N.{layer_scale,block.*}, classifier.{0,2}. `Stem.large` is torchvision's
/// stem, a 4x4 convolution with stride 4; `Stem.small` a 3x3 one at full resolution. Training leaves blocks out, up to a
/// tenth of the samples at the last one. Initial weights as there: N(0, 0.02), biases 0, scales 1e-6.
///
/// It has no BatchNorm. Stages: the outputs of the four groups of 3, 3, 9 and 3 blocks.
public final class ConvNeXtTiny: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let norm: LayerNorm2d
  let head: Linear

  /// - Parameters:
  ///   - width: channels of the first stage; 96 is the published network.
  ///   - stochasticDepth: how often training leaves out the last block, for a sample; earlier ones in proportion.
  public init(
    classes: Int, width: Int = 96, channels: Int = 3, stem: Stem = .small, stochasticDepth: Double = 0.1,
    normalization: Normalization = .none, _ generator: Generator
  ) {
    let first =
      switch stem {
      case .small: Conv2d(channels, width, kernel: 3, padding: 1, generator)
      case .large: Conv2d(channels, width, kernel: 4, stride: 4, generator)
      }
    var layers: [any Layer] = [Sequential([first, LayerNorm2d(width)])]
    let counts = [3, 3, 9, 3]
    let last = Double(counts.reduce(0, +) - 1)
    var number = 0
    for (stage, count) in counts.enumerated() {
      let size = width << stage
      if stage > 0 {
        layers.append(Sequential([LayerNorm2d(size / 2), Conv2d(size / 2, size, kernel: 2, stride: 2, generator)]))
      }
      layers.append(
        Sequential(
          (0..<count).map { index in
            ConvNeXtBlock(size, dropped: stochasticDepth * Double(number + index) / last, generator)
          }))
      number += count
    }
    body = Sequential(layers)
    norm = LayerNorm2d(8 * width)
    head = Linear(8 * width, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "convnext_tiny",
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    drawNormal(0.02, generator)
  }

  public override var children: [(name: String, module: Module)] {
    [("features", body), ("classifier", Sequential(named: [("0", norm), ("2", head)]))]
  }

  public override func features(normalized x: Tensor) -> Features {
    let (stages, last) = body.outputs(x, at: [1, 3, 5, 7])
    return Features(stages: stages, penultimate: norm(F.adaptiveAvgPool2d(last, 1, 1)).flattened(1))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { head(penultimate) }
}

/// A depthwise 7x7 convolution and two linear layers on the channels, beside the input.
final class ConvNeXtBlock: Module, Layer, BranchedBlock {
  /// Scales of the branch, one a channel: C x 1 x 1.
  @Parameter var layerScale: Tensor
  let block: Sequential
  let stochasticDepth: StochasticDepth

  init(_ size: Int, dropped: Double, _ generator: Generator) {
    layerScale = Tensor.full([size, 1, 1], 1e-6)
    block = Sequential([
      Conv2d(size, size, kernel: 7, padding: 3, groups: size, generator), Lambda { $0.permuted(0, 2, 3, 1) },
      LayerNorm([size], eps: 1e-6), Linear(size, 4 * size, generator), Lambda.gelu(),
      Linear(4 * size, size, generator), Lambda { $0.permuted(0, 3, 1, 2) },
    ])
    stochasticDepth = StochasticDepth(dropped)
  }

  var stridesAgree: Bool { strideProduct == 1 }

  func callAsFunction(_ x: Tensor) -> Tensor { stochasticDepth(layerScale * block(x)) + x }
}
