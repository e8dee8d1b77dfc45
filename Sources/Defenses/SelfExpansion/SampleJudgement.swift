import Torch
import TorchNN
import Training
import Vision

extension TrainingPass {
  /// Cross entropy of each chosen sample, float32, and the class that is predicted, int64, in evaluation mode.
  /// - Parameter augmenting: draws a crop and a flip for each image, as training does; nil takes the image as it is.
  func judge(_ model: Classifier, _ indices: Tensor, augmenting generator: Generator? = nil) -> (
    losses: Tensor, predicted: Tensor
  ) {
    model.withMode(training: false) {
      noGrad {
        let parts = Batches(count: indices.count, size: Batches.evaluationSize).ranges.map { range in
          let index = indices[range]
          let pixels =
            generator.map { (augmentation ?? recipe.augmentation).gather(images: data.images, indices: index, $0) }
            ?? data.pixels(at: index)
          let logits = context.compute { model(pixels.contiguous(.channelsLast)) }
          return (F.crossEntropy(logits, data.labels[index], reduction: .none), logits.argmax(1))
        }
        return (Tensor.concatenated(parts.map(\.0)), Tensor.concatenated(parts.map(\.1)))
      }
    }
  }
}

extension Classifier {
  /// Starts over: takes the weights of a new model and leaves the optimizer without a past.
  func restart(as fresh: Classifier, _ optimizer: Optimizer) throws {
    try load(fresh.stateDict())
    try optimizer.load(state: [:])
  }
}
