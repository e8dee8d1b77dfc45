public import Torch
import TorchNN

/// Three convolutions with BatchNorm and ReLU, the first two followed by a max-pool, then a global average pool and a
/// linear layer: a network that trains in seconds on a CPU. Keys conv1, bn1, conv2, bn2, conv3, bn3, linear; PyTorch's
/// default initial weights.
///
/// Stages: the activations of the three convolutions before their max-pools.
public final class SmallCNN: Classifier {
  let conv1: Conv2d
  let pool = MaxPool2d(kernel: 2)
  let bn1: BatchNorm2d
  let conv2: Conv2d
  let bn2: BatchNorm2d
  let conv3: Conv2d
  let bn3: BatchNorm2d
  let linear: Linear

  /// - Parameter width: channels of the first convolution; the next ones have twice and four times as many.
  public init(
    classes: Int, width: Int = 32, channels: Int = 3, normalization: Normalization = .none, _ generator: Generator
  ) {
    conv1 = Conv2d(channels, width, kernel: 3, padding: 1, generator)
    bn1 = BatchNorm2d(width)
    conv2 = Conv2d(width, 2 * width, kernel: 3, padding: 1, generator)
    bn2 = BatchNorm2d(2 * width)
    conv3 = Conv2d(2 * width, 4 * width, kernel: 3, padding: 1, generator)
    bn3 = BatchNorm2d(4 * width)
    linear = Linear(4 * width, classes, generator)
    super.init(classes: classes, normalization: normalization)
    spec = ModelSpec(
      kind: "cnn", shape: ModelShape(classes: classes, width: width, channels: channels, normalization: normalization))
  }

  public override func features(normalized x: Tensor) -> Features {
    var x = bn1(conv1(x), relu: true)
    var stages = [x]
    x = bn2(conv2(pool(x)), relu: true)
    stages.append(x)
    x = bn3(conv3(pool(x)), relu: true)
    stages.append(x)
    return Features(stages: stages, penultimate: globalAveragePool(x))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}
