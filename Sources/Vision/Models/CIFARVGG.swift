public import Torch
public import TorchNN

/// VGG for images of 32 pixels, as the usual CIFAR code has it: BatchNorm after each convolution, and one linear layer in
/// place of the published three. Keys features.N as torchvision's `vgg19_bn`, and classifier. PyTorch's default initial
/// weights. Depths 11, 13, 16 and 19 (Simonyan and Zisserman, Very Deep Convolutional Networks, 2015).
///
/// Stages: the activations of the five blocks before their max-pools. A map of one pixel is not pooled again, a larger
/// one than the CIFAR code ends with is averaged.
public final class CIFARVGG: Classifier {
  /// `features` in the keys; that name is a method's here.
  let body: Sequential
  let classifier: Linear
  private let stageEnds: [Int]

  /// Convolutions of the five blocks.
  static let blocks: [Int: [Int]] = [
    11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4],
  ]

  /// - Parameters:
  ///   - width: channels of the first block; 64 is the published network.
  ///   - depth: convolutions and linear layers of the published network.
  public init(
    classes: Int, width: Int = 64, depth: Int = 19, channels: Int = 3, normalization: Normalization = .none,
    _ generator: Generator
  ) {
    guard let blocks = Self.blocks[depth] else { fatalError("CIFARVGG: depth \(depth) is not 11, 13, 16 or 19") }
    var layers: [any Layer] = []
    var stageEnds: [Int] = []
    var inputs = channels
    for (multiple, convolutions) in zip([1, 2, 4, 8, 8], blocks) {
      for _ in 0..<convolutions {
        layers += [
          Conv2d(inputs, multiple * width, kernel: 3, padding: 1, generator), BatchNorm2d(multiple * width),
          Lambda.relu(),
        ]
        inputs = multiple * width
      }
      stageEnds.append(layers.count - 1)
      layers.append(MaxPool2d(kernel: 2))
    }
    self.stageEnds = stageEnds
    body = Sequential(layers)
    classifier = Linear(inputs, classes, generator)
    super.init(classes: classes, normalization: normalization)
    var shape = ModelShape(classes: classes, width: width, channels: channels, normalization: normalization)
    shape.depth = depth
    spec = ModelSpec(kind: "vgg_cifar", shape: shape)
  }

  public override var children: [(name: String, module: Module)] { [("features", body), ("classifier", classifier)] }

  public override func features(normalized x: Tensor) -> Features {
    let (stages, last) = body.outputs(x, at: stageEnds)
    return Features(stages: stages, penultimate: globalAveragePool(last))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { classifier(penultimate) }
}
