import Foundation
import Support
import Torch
import TorchNN
import Training
import Vision

/// How far the gradient of learning from poisons is from the one that the attacker wants (Geiping et al., Witches'
/// Brew, 2021, equation 3; Gao et al. 2022, appendix B). In float32; the model is in evaluation mode.
///
/// The poisons' gradient is one mean over all that are matched together, however many; only `chunk` of them are in a
/// graph at a time. With f the mean gradient and w the wanted one, the loss 1 - f w / (|f| |w|) depends on a chunk
/// through its own part of f alone, so a first pass sums f without graph, and a second one differentiates each chunk's
/// part along v = d loss / d f. This is exact, since in evaluation mode images do not meet.
struct GradientMatching {
  private let model: Classifier
  private let parameters: [Tensor]
  /// Of the mean loss over the wanted images, one tensor a parameter.
  private let wanted: [Tensor]
  private let length: Tensor
  private let chunk: Int

  /// - Parameters:
  ///   - images: triggered ones, float32 S x C x H x W; labels: what the attacker wants them to be, int64 S.
  ///   - chunk: images in a graph at a time; memory alone depends on it.
  init(_ model: Classifier, images: Tensor, labels: Tensor, chunk: Int = 128) {
    self.model = model
    self.chunk = chunk
    parameters = model.parameters()
    wanted = Self.meanGradient(model, images, labels, parameters, chunk: chunk)
    length = globalNorm(wanted)
  }

  /// Of the mean cross entropy at the parameters, without graph.
  private static func meanGradient(
    _ model: Classifier, _ images: Tensor, _ labels: Tensor, _ parameters: [Tensor], chunk: Int
  ) -> [Tensor] {
    let count = images.dimension(0)
    var sums: [Tensor] = []
    for range in Batches(count: count, size: chunk).ranges {
      let loss = share(model, images[range], labels[range], of: count)
      let part = gradients(of: loss, at: parameters)
      sums = sums.isEmpty ? part : zip(sums, part).map { sum, part in sum + part }
    }
    return sums
  }

  /// What some of `count` images give to the mean loss over all of them.
  private static func share(_ model: Classifier, _ images: Tensor, _ labels: Tensor, of count: Int) -> Tensor {
    F.crossEntropy(model(images.contiguous(.channelsLast)), labels) * (Double(images.dimension(0)) / Double(count))
  }

  /// 1 - cos of the angle between both gradients, over all parameters together, and its gradient at the poisons.
  /// - Parameters:
  ///   - poisons: float32 B x C x H x W, all matched as one; labels: int64 B.
  /// - Returns: a scalar, and B x C x H x W.
  func lossAndGradient(_ poisons: Tensor, labels: Tensor) -> (loss: Tensor, gradient: Tensor) {
    let poisons = poisons.detach()
    let count = poisons.dimension(0)
    let ranges = Batches(count: count, size: chunk).ranges
    func part(_ range: Range<Int>) -> (images: Tensor, found: [Tensor]) {
      let images = poisons[range].contiguous(.channelsLast).requiresGrad_()
      let loss = Self.share(model, images, labels[range], of: count)
      return (images, gradients(of: loss, at: parameters, createGraph: true))
    }
    // A single chunk needs no pass without graph: its gradient is the whole one.
    let only = ranges.count == 1 ? part(0..<count) : nil
    let found =
      only?.found.map { $0.detach() } ?? Self.meanGradient(model, poisons, labels, parameters, chunk: chunk)
    let size = globalNorm(found)
    let products = zip(found, wanted).map { found, wanted in (found * wanted).sum() }
    let cosine = products.dropFirst().reduce(products[0], +) / (size * length)
    let seeds = zip(found, wanted).map { found, wanted in (found * (cosine / size) - wanted / length) / size }
    let slopes = ranges.map { range in
      let (images, found) = only ?? part(range)
      return gradients(of: found, at: [images], seeds: seeds)[0]
    }
    return (1 - cosine, Tensor.concatenated(slopes))
  }

  /// The 2-norm of the loss's gradient at all parameters for each sample by itself, N, in evaluation mode.
  static func gradientNorms(_ model: Classifier, _ data: ImageDataset, progress: any ProgressReporter) throws -> Tensor
  {
    model.requiresGrad(true).eval()
    let parameters = model.parameters()
    progress.begin("Choice of samples", total: data.count, unit: "images")
    var norms: [Tensor] = []
    for position in 0..<data.count {
      try Interruption.check()
      let one = position..<(position + 1)
      let loss = F.crossEntropy(model(data.pixels(one).contiguous(.channelsLast)), data.labels[one])
      norms.append(globalNorm(gradients(of: loss, at: parameters)).unsqueezed(0))
      progress.update(done: position + 1, note: "")
    }
    let all = Tensor.concatenated(norms)
    progress.end(summary: "gradient norms \(all.min().item()) to \(all.max().item())")
    return all
  }
}
