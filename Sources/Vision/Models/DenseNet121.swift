public import Torch
public import TorchNN

/// DenseNet121 (Huang et al., Densely Connected Convolutional Networks, 2017): four dense blocks of 6, 12, 24 and 16
/// layers with growth width / 2. Keys equal torchvision's `densenet121`:
/// features.{conv0,norm0,denseblockN.denselayerM.*,transitionN.*,norm5}, classifier. `Stem.large` is torchvision's
/// stem; `Stem.small` replaces conv0 by a 3x3 convolution of stride 1 and leaves the max-pool out. Convolutions start
/// Kaiming normal by fan-in and the classifier's bias at 0, as there.
///
/// Stages: the outputs of the four dense blocks, the last one after its BatchNorm and ReLU.
public final class DenseNet121: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let classifier: Linear

  /// - Parameter width: channels of the stem, an even number; 64 is the published network.
  public init(
    classes: Int, width: Int = 64, channels: Int = 3, stem: Stem = .small, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    require(width % 2 == 0, "DenseNet121: width \(width) is odd; its layers grow by half of it")
    let growth = width / 2
    var layers: [(name: String, layer: any Layer)] = []
    switch stem {
    case .small: layers.append(("conv0", Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator)))
    case .large:
      layers.append(("conv0", Conv2d(channels, width, kernel: 7, stride: 2, padding: 3, bias: false, generator)))
    }
    layers.append(("norm0", BatchNorm2d(width)))
    layers.append(("relu0", Lambda.relu()))
    layers.append(
      ("pool0", stem == .small ? MaxPool2d(kernel: 1) : MaxPool2d(kernel: 3, stride: 2, padding: 1)))
    var size = width
    for (index, count) in [6, 12, 24, 16].enumerated() {
      let block: [(name: String, layer: any Layer)] = (0..<count).map {
        ("denselayer\($0 + 1)", DenseLayer(size + $0 * growth, growth: growth, generator))
      }
      layers.append(("denseblock\(index + 1)", Sequential(named: block)))
      size += count * growth
      guard index < 3 else { continue }
      layers.append(("transition\(index + 1)", Transition(size, size / 2, generator)))
      size /= 2
    }
    layers.append(("norm5", BatchNorm2d(size)))
    body = Sequential(named: layers)
    classifier = Linear(size, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "densenet121",
      shape: ModelShape(
        classes: classes, width: width, channels: channels, imageSize: stem.typicalSize, normalization: normalization))
    drawConvolutions(.fanIn, generator)
    noGrad { classifier.bias?.wrappedValue.zero_() }
  }

  public override var children: [(name: String, module: Module)] { [("features", body), ("classifier", classifier)] }

  public override func features(normalized x: Tensor) -> Features {
    var x = x
    var stages: [Tensor] = []
    for (name, layer) in body.layers {
      if name.hasPrefix("transition") { stages.append(x) }
      x = layer(x)
    }
    x = x.relu()
    stages.append(x)
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { classifier(penultimate) }
}

/// A 1x1 convolution to four times the growth, then a 3x3 one, each after BatchNorm and ReLU; the input stays beside
/// the output.
final class DenseLayer: Module, Layer, BranchedBlock {
  let norm1: BatchNorm2d
  let conv1: Conv2d
  let norm2: BatchNorm2d
  let conv2: Conv2d
  private let outputFirst: Bool

  /// - Parameter outputFirst: the output stands before the input, as in CIFAR code.
  init(_ inputs: Int, growth: Int, outputFirst: Bool = false, _ generator: Generator) {
    self.outputFirst = outputFirst
    norm1 = BatchNorm2d(inputs)
    conv1 = Conv2d(inputs, 4 * growth, kernel: 1, bias: false, generator)
    norm2 = BatchNorm2d(4 * growth)
    conv2 = Conv2d(4 * growth, growth, kernel: 3, padding: 1, bias: false, generator)
  }

  /// CIFAR code calls BatchNorm bn.
  override var children: [(name: String, module: Module)] {
    let norm = outputFirst ? "bn" : "norm"
    return [(norm + "1", norm1), ("conv1", conv1), (norm + "2", norm2), ("conv2", conv2)]
  }

  var stridesAgree: Bool { strideProduct == 1 }

  func callAsFunction(_ x: Tensor) -> Tensor {
    var y = conv1(norm1(x, relu: true))
    y = conv2(norm2(y, relu: true))
    return Tensor.concatenated(outputFirst ? [y, x] : [x, y], 1)
  }
}

/// Halves channels and resolution between two dense blocks.
final class Transition: Module, Layer {
  let norm: BatchNorm2d
  let conv: Conv2d
  private let normName: String

  /// - Parameter normName: what keys call the BatchNorm.
  init(_ inputs: Int, _ outputs: Int, normName: String = "norm", _ generator: Generator) {
    self.normName = normName
    norm = BatchNorm2d(inputs)
    conv = Conv2d(inputs, outputs, kernel: 1, bias: false, generator)
  }

  override var children: [(name: String, module: Module)] { [(normName, norm), ("conv", conv)] }

  func callAsFunction(_ x: Tensor) -> Tensor { F.avgPool2d(conv(norm(x, relu: true)), kernel: 2) }
}
