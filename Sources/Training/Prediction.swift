public import Torch
import TorchNN
public import Vision

extension Classifier {
  /// Logits (N x K, float32) of a whole data set in evaluation mode, batch by batch.
  /// - Parameter transform: changes each batch of pixels (B x C x H x W, [0, 1]) before the model sees it; gets the
  ///   batch's range.
  public func logits(
    of data: ImageDataset, context: TrainingContext, batch: Int = Batches.evaluationSize,
    transform: ((Tensor, Range<Int>) -> Tensor)? = nil
  ) -> Tensor {
    guard data.count > 0 else { return Tensor.zeros([0, classes], device: context.device) }
    return outputs(of: data, context, batch) { [self] pixels, range in self(transform?(pixels, range) ?? pixels) }
  }

  /// Penultimate features (N x D, float32) of a data set that is not empty, in evaluation mode, batch by batch.
  public func penultimateFeatures(of data: ImageDataset, context: TrainingContext) -> Tensor {
    outputs(of: data, context, Batches.evaluationSize) { pixels, _ in self.features(pixels).penultimate.to(.float32) }
  }

  private func outputs(
    of data: ImageDataset, _ context: TrainingContext, _ batch: Int, _ compute: (Tensor, Range<Int>) -> Tensor
  ) -> Tensor {
    withMode(training: false) {
      noGrad {
        Tensor.concatenated(
          Batches(count: data.count, size: batch).ranges.map { range in
            let pixels = data.pixels(range).to(context.device).contiguous(.channelsLast)
            return context.compute { compute(pixels, range) }
          })
      }
    }
  }
}
