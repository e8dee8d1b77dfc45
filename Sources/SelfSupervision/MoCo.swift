// MoCo v2 (He et al., Momentum Contrast, 2020, algorithm 1; Chen et al., Improved Baselines with Momentum Contrastive
// Learning, 2020): the first view (query) has to find the second view (key), which a slowly moving copy of the network
// encodes, among the keys of earlier batches.
//
// Shuffled BatchNorm. A network could recognise a query's own key by the batch statistics that both share. The authors
// train on eight GPUs, whose batch statistics are separate, and deal the keys to the GPUs in another order than the
// queries. On one device we do the same with parts of the batch: queries in order, keys shuffled, each of `groups`
// parts normalised by itself. With one group there is nothing to shuffle: query and key then share the statistics of
// the same images.

public import Torch
public import TorchNN
public import Training

public final class MoCo: Module, SelfSupervisedLearner {
  public let encoder: Encoder
  public let target: Encoder
  /// Earlier keys, K x D unit rows, the newest first.
  @Buffer public var queue: Tensor
  public let temperature: Double
  public let groups: Int
  private let average: ExponentialMovingAverage
  private var newKeys: Constant?

  /// - Parameters:
  ///   - queue: K, keys to keep.
  ///   - momentum: share of the target that stays in a step.
  ///   - generator: of the first keys, which are random.
  public init(
    _ encoder: Encoder, queue count: Int, temperature: Double, momentum: Double, groups: Int, _ generator: Generator
  ) throws {
    self.encoder = encoder
    target = try encoder.target()
    queue = generator.normal([count, encoder.projector.last.weight.dimension(0)]).unitRows()
    self.temperature = temperature
    self.groups = groups
    average = try ExponentialMovingAverage(of: encoder, in: target, decay: momentum)
  }

  public var trained: [Tensor] { encoder.parameters() }

  public func loss(of views: Tensor, _ context: TrainingContext, _ generator: Generator) -> (
    loss: Tensor, similarity: Tensor
  ) {
    let n = views.dimension(0) / 2
    let order = generator.permutation(n)
    let query = inGroups(views[0..<n]) { encoder($0, context) }.unitRows()
    let key = noGrad {
      inGroups(views[n..<(2 * n)][order].contiguous(.channelsLast)) { target($0, context) }[order.argsort()].unitRows()
    }
    newKeys = Constant(key)
    return (Self.loss(query, key: key, queue: queue, temperature: temperature), meanCosine(query, key))
  }

  public func afterStep() {
    average.update(from: encoder)
    if let newKeys { Self.enqueue(newKeys.value, in: queue) }
    newKeys = nil
  }

  /// InfoNCE: cross entropy of [query . key, query . queue] / T with the key as the right answer.
  /// - Parameters: N x D, N x D and K x D unit rows.
  public static func loss(_ query: Tensor, key: Tensor, queue: Tensor, temperature: Double) -> Tensor {
    let right = (query * key).sum([1], keep: true)
    let logits = Tensor.concatenated([right, query.matmul(queue.transposed())], 1) / temperature
    return F.crossEntropy(logits, Tensor.zeros([query.dimension(0)], dtype: .int64, device: query.device))
  }

  /// Puts keys in front of the queue, in place; as many of the oldest fall out.
  public static func enqueue(_ keys: Tensor, in queue: Tensor) {
    noGrad {
      queue.copy_(Tensor.concatenated([keys, queue])[0..<queue.dimension(0)])
    }
  }

  /// Passes the images part by part, at least two in each, so that each part has its own batch statistics.
  private func inGroups(_ images: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    let n = images.dimension(0)
    let parts = max(1, min(groups, n / 2))
    return Tensor.concatenated((0..<parts).map { body(images[($0 * n / parts)..<(($0 + 1) * n / parts)]) })
  }
}
