// The inner maximisation of adversarial training (Madry et al., Towards Deep Learning Models Resistant to Adversarial
// Attacks, 2018): in a set of changes around each image, one that the model handles badly. Gao et al. (On the
// Effectiveness of Adversarial Training against Backdoor Attacks, 2022) train with five such sets; each is a
// `ThreatModel`.

public import Torch
import TorchNN
public import Training
public import Vision

/// A set of changes to images, with a way to find a bad one in it.
public protocol ThreatModel: Sendable {
  /// Changed images, B x C x H x W in [0, 1]. Conformers implement it; callers use `perturb`, which puts the model in
  /// evaluation mode and makes its weights constants first.
  func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor
}

/// The target of a search: a model in evaluation mode with constant weights, and the classes that it should give.
public struct AttackedModel {
  public let model: Classifier
  /// int64 B.
  public let labels: Tensor
  public let context: TrainingContext

  public init(model: Classifier, labels: Tensor, context: TrainingContext) {
    self.model = model
    self.labels = labels
    self.context = context
  }
}

extension ThreatModel {
  /// Adversarial images of a batch: B x C x H x W float32 in [0, 1], channels_last, without graph.
  ///
  /// The model is in evaluation mode meanwhile and gets its modes back; only gradients of the perturbation are
  /// computed, and neither weights nor batch statistics change.
  /// - Parameters:
  ///   - images: pixels in [0, 1], float32 B x C x H x W; labels: int64 B.
  ///   - context: precision of the passes through the model.
  ///   - generator: draws starting points and random changes; on the images' device.
  public func perturb(
    _ images: Tensor, labels: Tensor, model: Classifier, context: TrainingContext, generator: Generator
  ) -> Tensor {
    require(
      images.rank == 4 && images.dtype == .float32 && labels.shape == [images.dimension(0)],
      "perturb: pixels must be float32 B x C x H x W with B labels, not \(images.summary) with \(labels.summary)")
    let images = images.detach().contiguous(.channelsLast)
    return model.withMode(training: false) {
      model.withFrozenParameters {
        withGrad {
          search(images, AttackedModel(model: model, labels: labels, context: context), generator).detach().contiguous(
            .channelsLast)
        }
      }
    }
  }
}

/// What a search makes as large as it can, one number per image: high where the model is wrong.
public enum AttackLoss: String, Codable, Sendable, CaseIterable {
  /// -log p of the label (Madry et al. 2018).
  case crossEntropy = "cross-entropy"
  /// The largest logit of another class minus the label's (Carlini and Wagner, Towards Evaluating the Robustness of
  /// Neural Networks, 2017).
  case margin

  /// - Parameters:
  ///   - logits: B x K, K at least 2; labels: int64 B.
  /// - Returns: B.
  public func callAsFunction(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    switch self {
    case .crossEntropy: return F.crossEntropy(logits, labels, reduction: .none)
    case .margin:
      let own = labels.unsqueezed(1)
      return logits.scattered(1, own, value: -.infinity).max(1).values - logits.gathered(1, own).squeezed(1)
    }
  }
}

extension Trainer {
  /// Adversarial training (equation 1 of Gao et al. 2022): each batch is what the threat makes of it, in view of the
  /// model as it is. The recipe's label smoothing is for what the model learns, not for the search.
  public func train(
    _ model: Classifier, on data: ImageDataset, context: TrainingContext, against threat: any ThreatModel
  ) throws {
    try train(model, on: data, context: context) { batch in
      let changed = threat.perturb(
        batch.images, labels: batch.labels, model: model, context: context, generator: batch.generator("change"))
      return recipe.crossEntropy(model, batch, images: changed, context: context)
    }
  }
}
