public import Torch
public import TorchNN

/// VGG19 (Simonyan and Zisserman, Very Deep Convolutional Networks, 2015), with or without BatchNorm, in torchvision's
/// layout: the convolutional part is average-pooled to 7x7, then three linear layers. Keys features.N and
/// classifier.{0,3,6}, equal to `vgg19` and `vgg19_bn`.
///
/// The initial weights are torchvision's: convolutions Kaiming normal by fan-out, linear layers N(0, 0.01), biases 0.
/// At other widths the linear layers' deviation is 0.01 sqrt(64 / width), which keeps the size of the signal; with 0.01
/// a narrow network would not start.
///
/// Stages: the activations of the five blocks before their max-pools. A map of one pixel, as images below 32 reach it,
/// is not pooled again.
public final class VGG19: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let classifier: Sequential
  private let stageEnds: [Int]
  private let remake: () -> VGG19

  /// - Parameters:
  ///   - width: channels of the first block; 64 is the published network.
  ///   - hidden: outputs of the first two linear layers; 64 times the width, 4096 as published, when nil.
  ///     With another number the model has no `spec`: the zoo cannot build it.
  ///   - dropout: share of hidden activations that training sets to zero.
  public init(
    classes: Int, width: Int = 64, hidden: Int? = nil, channels: Int = 3, batchNorm: Bool = false,
    dropout: Double = 0.5,
    normalization: Normalization = .none, _ generator: Generator
  ) {
    let hidden = hidden ?? 64 * width
    var layers: [any Layer] = []
    var stageEnds: [Int] = []
    var inputs = channels
    for (multiple, convolutions) in [(1, 2), (2, 2), (4, 4), (8, 4), (8, 4)] {
      for _ in 0..<convolutions {
        layers.append(Conv2d(inputs, multiple * width, kernel: 3, padding: 1, generator))
        if batchNorm { layers.append(BatchNorm2d(multiple * width)) }
        layers.append(Lambda.relu())
        inputs = multiple * width
      }
      stageEnds.append(layers.count - 1)
      layers.append(MaxPool2d(kernel: 2))
    }
    self.stageEnds = stageEnds
    remake = {
      VGG19(
        classes: classes, width: width, hidden: hidden, channels: channels, batchNorm: batchNorm, dropout: dropout,
        normalization: normalization, Generator(seed: 0))
    }
    body = Sequential(layers)
    classifier = Sequential([
      Linear(inputs * 49, hidden, generator), Lambda.relu(), Dropout(dropout),
      Linear(hidden, hidden, generator), Lambda.relu(), Dropout(dropout),
      Linear(hidden, classes, generator),
    ])
    super.init(classes: classes, normalization: normalization)
    if hidden == 64 * width {
      spec = ModelSpec(
        kind: batchNorm ? "vgg19_bn" : "vgg19",
        shape: ModelShape(classes: classes, width: width, channels: channels, normalization: normalization))
    }
    drawConvolutions(.fanOut, zeroBias: true, generator)
    classifier.drawNormal(0.01 * (64 / Double(width)).squareRoot(), generator)
  }

  public override var children: [(name: String, module: Module)] { [("features", body), ("classifier", classifier)] }

  /// With its own `hidden` and `dropout`, which no `spec` holds.
  public override func rebuilt() -> Classifier { remake() }

  public override func features(normalized x: Tensor) -> Features {
    let (stages, last) = body.outputs(x, at: stageEnds)
    var x = F.adaptiveAvgPool2d(last, 7, 7).flattened(1)
    for entry in classifier.layers.dropLast() { x = entry.layer(x) }
    return Features(stages: stages, penultimate: x)
  }
  public override func logits(_ penultimate: Tensor) -> Tensor {
    guard let last = classifier.layers.last else { fatalError("VGG19 has lost its last layer") }
    return last.layer(penultimate)
  }
}
