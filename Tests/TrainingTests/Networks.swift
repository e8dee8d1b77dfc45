import Torch
import TorchNN
import Vision

/// A network with dropout, whose random stream has to be resumed too.
final class WithDropout: Classifier {
  let first: Linear
  let dropout = Dropout(0.5)
  let last: Linear

  init(for data: ImageDataset, seed: UInt64 = 1) {
    let generator = Generator(seed: seed)
    first = Linear(data.channels * data.height * data.width, 16, generator)
    last = Linear(16, data.classes, generator)
    super.init(classes: data.classes, normalization: .none)
  }
  override func features(normalized x: Tensor) -> Features {
    let x = x.contiguous().flattened(1)
    return Features(stages: [], penultimate: dropout(first(x).relu()))
  }
  override func logits(_ penultimate: Tensor) -> Tensor { last(penultimate) }
}
