import Torch
import TorchNN
import Training
import Vision

extension TrainingPass {
  /// Cross entropy of each chosen sample, float32, and whether its label is predicted, in evaluation mode.
  func judge(_ model: Classifier, _ indices: Tensor) -> (losses: Tensor, agrees: Tensor) {
    model.withMode(training: false) {
      noGrad {
        let parts = Batches(count: indices.count, size: Batches.evaluationSize).ranges.map { range in
          let index = indices[range]
          let pixels = data.pixels(at: index).contiguous(.channelsLast)
          let logits = context.compute { model(pixels) }
          let labels = data.labels[index]
          return (F.crossEntropy(logits, labels, reduction: .none), logits.argmax(1) .== labels)
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
