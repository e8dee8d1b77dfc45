import Foundation
import Support
import Torch
import TorchNN
import Training
import Vision

/// How far the gradient of learning from poisons is from the one that the attacker wants (Geiping et al., Witches'
/// Brew, 2021, equation 3; Gao et al. 2022, appendix B). In float32; the model is in evaluation mode.
struct GradientMatching {
  private let model: Classifier
  private let parameters: [Tensor]
  /// Of the mean loss over the wanted images, one tensor a parameter.
  private let wanted: [Tensor]
  private let length: Tensor

  /// - Parameters:
  ///   - images: triggered ones, float32 S x C x H x W; labels: what the attacker wants them to be, int64 S.
  init(_ model: Classifier, images: Tensor, labels: Tensor) {
    self.model = model
    let parameters = model.parameters()
    self.parameters = parameters
    let count = images.dimension(0)
    var sums: [Tensor] = []
    for range in Batches(count: count, size: 128).ranges {
      let loss =
        F.crossEntropy(model(images[range].contiguous(.channelsLast)), labels[range])
        * (Double(range.count) / Double(count))
      let part = gradients(of: loss, at: parameters)
      sums = sums.isEmpty ? part : zip(sums, part).map { sum, part in sum + part }
    }
    wanted = sums
    length = globalNorm(sums)
  }

  /// 1 - cos of the angle between both gradients, over all parameters together: a scalar, differentiable with respect
  /// to `poisons`.
  func loss(_ poisons: Tensor, labels: Tensor) -> Tensor {
    let found = gradients(of: F.crossEntropy(model(poisons), labels), at: parameters, createGraph: true)
    let products = zip(found, wanted).map { found, wanted in (found * wanted).sum() }
    return 1 - products.dropFirst().reduce(products[0], +) / (globalNorm(found) * length)
  }

  /// The 2-norm of the loss's gradient at all parameters for each sample by itself, N, in evaluation mode.
  static func gradientNorms(_ model: Classifier, _ data: ImageDataset, progress: any ProgressReporter) throws -> Tensor
  {
    model.requiresGrad(true).eval()
    let parameters = model.parameters()
    progress.begin("attack-choose", total: data.count, unit: "images")
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
