import Torch
import TorchNN
import Training
import Vision

/// Forward and backward passes of changed images towards several target classes at the same time. Each target has its
/// own copies of a batch; images that the model gives the target anyway do not count.
struct TargetedPass {
  let model: Classifier
  let targets: [Int]
  let context: TrainingContext
  private let targetTensor: Tensor

  init(model: Classifier, targets: [Int], context: TrainingContext) {
    (self.model, self.targets, self.context) = (model, targets, context)
    targetTensor = Tensor(targets.map(Int64.init)).to(context.device)
  }

  /// z_t - max_{j != t} z_j at images T x B x C x H x W: T x B.
  func margins(at images: Tensor) -> Tensor {
    let (logits, index) = (logits(images), index(images.dimension(1)))
    return logits.gathered(2, index).squeezed(2) - logits.scattered(2, index, value: -.infinity).max([2])
  }

  /// The gradient, at images T x B x C x H x W in [0, 1], of the sum over targets t and images i with another source of
  /// log p_t.
  /// - Parameter sources: the class of each image without change, int64 B.
  func gradient(at images: Tensor, sources: Tensor) -> Tensor {
    let leaf = images.detach().requiresGrad_()
    let logProbability = withGrad { F.logSoftmax(logits(leaf)).gathered(2, index(images.dimension(1))).squeezed(2) }
    return Torch.gradient(of: (logProbability * others(sources)).sum(), at: leaf)
  }

  /// Of each target, sums over the images of other sources: of the log-odds z_t - log sum_{j != t} exp z_j, of the
  /// margin z_t - max_{j != t} z_j, of 1 where the target has the largest logit, and of 1. float64, 4 x T.
  func sums(at images: Tensor, sources: Tensor) -> Tensor {
    noGrad {
      let logits = logits(images)
      let index = index(images.dimension(1))
      let own = logits.gathered(2, index).squeezed(2)
      let rivals = logits.scattered(2, index, value: -.infinity)
      let best = rivals.max([2])
      let logSum = best + (rivals - best.unsqueezed(2)).exp().sum([2]).log()
      let counted = others(sources)
      let rows = [own - logSum, own - best, (own .> best).to(.float32), Tensor.ones(like: own)]
      return Tensor.stacked(rows.map { ($0 * counted).to(.float64).sum([1]) })
    }
  }

  /// T x B x K.
  private func logits(_ images: Tensor) -> Tensor {
    let (count, size) = (images.dimension(0), images.dimension(1))
    let rows = images.reshaped([count * size] + images.shape.dropFirst(2)).contiguous(.channelsLast)
    return context.compute { model(rows) }.reshaped(count, size, -1)
  }

  /// T x B x 1: each row's target.
  private func index(_ size: Int) -> Tensor {
    targetTensor.reshaped(-1, 1, 1).expanded([targets.count, size, 1])
  }

  /// T x B: 1 where the image's source is another class than the target.
  private func others(_ sources: Tensor) -> Tensor {
    (sources.unsqueezed(0) .!= targetTensor.unsqueezed(1)).to(.float32)
  }
}

/// How many classes share a pass: as many as fill it well on a CPU, fewer for large images.
enum ClassGroups {
  /// - Parameters:
  ///   - rows: images a class.
  ///   - pixels: values of one image.
  static func groups(of classes: [Int], rows: Int, pixels: Int) -> [[Int]] {
    let most = max(1, 512 * 3072 / max(pixels, 3072))
    return Batches(count: classes.count, size: max(1, most / max(rows, 1))).ranges.map {
      Array(classes[$0])
    }
  }
}

/// Batches of a search: a new order of the images whenever they are used up, the same for all classes.
struct SearchBatches {
  let positions: [Tensor]

  init(count: Int, size: Int, steps: Int, stream: String, _ context: TrainingContext) {
    let size = min(size, count)
    let rounds = (steps * size + count - 1) / count
    let order = Tensor.concatenated((0..<rounds).map { context.generator(stream, $0).permutation(count) })
    positions = (0..<steps).map { order[($0 * size)..<(($0 + 1) * size)] }
  }
}
