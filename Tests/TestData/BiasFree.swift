public import Torch
import TorchNN
public import Vision

/// Convolution without a bias, BatchNorm, ReLU, means of quarters, linear.
///
/// A bias before BatchNorm has a gradient of rounding errors alone, of which Adam makes steps of full size: where two
/// computations are compared step by step, the network must not have one.
public final class BiasFree: Classifier {
  let conv: Conv2d
  let norm: BatchNorm2d
  let linear: Linear

  public init(classes: Int, _ generator: Generator) {
    conv = Conv2d(3, 6, kernel: 3, padding: 1, bias: false, generator)
    norm = BatchNorm2d(6)
    linear = Linear(24, classes, generator)
    super.init(classes: classes, normalization: .none)
  }
  public override func features(normalized x: Tensor) -> Features {
    Features(stages: [], penultimate: F.adaptiveAvgPool2d(norm(conv(x)).relu(), 2, 2).flattened(1))
  }
  public override func logits(_ penultimate: Tensor) -> Tensor { linear(penultimate) }
}
