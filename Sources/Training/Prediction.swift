public import Torch
import TorchNN
public import Vision

extension Classifier {
  /// Logits (N x K, float32) of a whole data set in evaluation mode, batch by batch.
  /// - Parameter transform: changes each batch of pixels (B x C x H x W, [0, 1]) before the model sees it; gets the batch's range.
  public func logits(
    of data: ImageDataset, context: TrainingContext, batch: Int = Batches.evaluationSize, transform: ((Tensor, Range<Int>) -> Tensor)? = nil
  ) -> Tensor {
    withMode(training: false) {
      noGrad {
        let parts = Batches(count: data.count, size: batch).ranges.map { range in
          var pixels = data.pixels(range).to(context.device).contiguous(.channelsLast)
          if let transform { pixels = transform(pixels, range) }
          return context.compute { self(pixels) }
        }
        return parts.isEmpty ? Tensor.zeros([0, classes], device: context.device) : Tensor.concatenated(parts)
      }
    }
  }
}
