public import Torch
public import TorchNN

/// DenseNet for images of 32 pixels, as the usual CIFAR code has it (Huang et al., Densely Connected Convolutional
/// Networks, 2017): four dense blocks of 6, 12, 24 and 16 layers after a 3x3 convolution without BatchNorm, and each
/// layer's output before its input, where torchvision puts it behind. Keys conv1, dense{1-4}.N.*, trans{1-3}.*, bn,
/// linear. PyTorch's default initial weights.
///
/// Stages: the outputs of the four dense blocks, the last one after its BatchNorm and ReLU.
public final class CIFARDenseNet: Classifier {
  private let layers: [(name: String, layer: any Layer)]
  let bn: BatchNorm2d
  let linear: Linear

  /// - Parameter width: channels of the first convolution, an even number, twice the growth: 24 is the small network
  ///   called `densenet_cifar`, 64 has the growth of DenseNet121.
  public init(
    classes: Int, width: Int = 24, channels: Int = 3, normalization: Normalization = .none, _ generator: Generator
  ) {
    require(width % 2 == 0, "CIFARDenseNet: width \(width) is odd; its layers grow by half of it")
    let growth = width / 2
    var layers: [(name: String, layer: any Layer)] = [
      ("conv1", Conv2d(channels, width, kernel: 3, padding: 1, bias: false, generator))
    ]
    var size = width
    for (index, count) in [6, 12, 24, 16].enumerated() {
      layers.append(
        (
          "dense\(index + 1)",
          Sequential(
            (0..<count).map { DenseLayer(size + $0 * growth, growth: growth, outputFirst: true, generator) })
        ))
      size += count * growth
      guard index < 3 else { continue }
      layers.append(("trans\(index + 1)", Transition(size, size / 2, normName: "bn", generator)))
      size /= 2
    }
    self.layers = layers
    bn = BatchNorm2d(size)
    linear = Linear(size, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "densenet_cifar",
      shape: ModelShape(classes: classes, width: width, channels: channels, normalization: normalization))
  }

  public override var children: [(name: String, module: Module)] {
    layers.map { ($0.name, $0.layer) } + [("bn", bn), ("linear", linear)]
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = x
    var stages: [Tensor] = []
    for (name, layer) in layers {
      if name.hasPrefix("trans") { stages.append(x) }
      x = layer(x)
    }
    x = bn(x, relu: true)
    stages.append(x)
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}
