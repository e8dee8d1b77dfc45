import Torch
import TorchNN
import Training
import Vision

/// One pass of plain training over chosen samples: what the rounds and the weak learners share.
struct LearningPass {
  let data: ImageDataset
  let recipe: Recipe
  let context: TrainingContext

  func batches(_ count: Int) -> Batches { Batches(count: count, size: recipe.batch, dropLast: recipe.dropLast) }

  /// - Parameters:
  ///   - indices: positions in the data, int64.
  ///   - stream: names the pass's randomness, together with `epoch`.
  ///   - rate: the learning rate of a step.
  func run(
    _ model: Classifier, _ optimizer: Optimizer, on indices: Tensor, stream: String, epoch: Int, meter: EpochMeter,
    rate: (_ step: Int, _ steps: Int) -> Double
  ) throws {
    let ranges = batches(indices.count).ranges
    let order = indices[context.generator("\(stream)/shuffle", epoch).permutation(indices.count)]
    let generator = context.generator("\(stream)/augment", epoch)
    model.train()
    for (step, range) in ranges.enumerated() {
      optimizer.learningRate = rate(step, ranges.count)
      let index = order[range]
      let images = recipe.augmentation.gather(images: data.images, indices: index, generator)
      let loss = context.compute {
        F.crossEntropy(model(images), data.labels[index], labelSmoothing: recipe.labelSmoothing)
      }
      optimizer.zeroGrad()
      loss.backward()
      if let limit = recipe.clipNorm { clipGradientNorm(optimizer.parameters, to: limit) }
      optimizer.step()
      try meter.step(images: range.count, ["loss": loss])
    }
    optimizer.zeroGrad()
  }

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
