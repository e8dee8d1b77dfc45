// Feature Shift Tuning, FST (Min, Qin, Shen, Cheng: Towards Stable Backdoor Purification through Feature Shift Tuning,
// NeurIPS 2023). Fine-tuning at a low poisoning rate leaves clean and backdoor features close together, and the trigger
// alive. FST moves the features: the last layer begins anew and is driven away from the suspect's own, while the whole
// network learns the clean images (section 5, equation 1):
//   min E [CE(f(x), y)] + alpha <w, w0>,  |w| = |w0|,
// with w the weight matrix of the last layer and w0 the suspect's.
//
// From the authors' code: the new layer is drawn as PyTorch draws one, uniform in +-1 / sqrt(D), its bias too; SGD .01
// with momentum .9 and no weight decay, along a cosine over 10 epochs of batches of 128, augmented; w is scaled to the
// norm of w0 after each step; alpha is .2, and .1 in its instructions for CIFAR-10; for many classes smaller, down to 0.
// The paper uses 2% of the training images, and reports attack success below 10% against seven attacks at rates from
// .5 to 5% on CIFAR-10 at one or two points of accuracy.

public import Backdoor
public import Support
package import Torch
import TorchNN
import Training
import Vision

public struct FeatureShiftTuning: Defense {
  public static let id = "fst"
  public static let summary = "Fine-tunes the suspect with a new last layer that is driven away from the old one."
  public static let paper = "Min et al. 2023, Feature Shift Tuning (NeurIPS)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public struct Configuration: Configurable {
    public var alpha = 0.2
    public var epochs = 10
    public var batch = 128
    public var learningRate = 0.01
    public var momentum = 0.9
    public var weightDecay = 0.0
    public var crop = 4
    public var flip = true
    public init() {}
    public static let settings: [Setting] =
      [
        Setting(
          "alpha", "Weight of the inner product with the suspect's last layer; smaller for many classes.",
          range: 0...1000, source: "authors' code: .2; its instructions for CIFAR-10: .1")
      ] + FineTuning.Configuration.settings(source: "authors' code", weightDecay: "authors' code: none")
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    let clean = try input.cleanSplit()
    let model = try input.model().copied()
    model.to(context.device)
    let width = model.featureCount(for: clean)
    let head = model.headParameters(features: width).map(\.tensor)
    guard let weight = head.first(where: { $0.rank == 2 }) else {
      throw DefenseError.invalid("defense fst needs a model whose last layer is linear.")
    }
    let old = weight.detach().clone()
    let norm = noGrad { old.norm() }
    let random = context.generator("\(Self.id)/head")
    let bound = 1 / Double(width).squareRoot()
    noGrad { for tensor in head { tensor.copy_(random.uniform(tensor.shape, -bound, bound)) } }
    // Before the first step the new weights have another norm, as in the authors' code.
    try Trainer(c.recipe, stage: Self.id).train(
      model, on: clean, context: context,
      afterStep: { weight.copy_(weight * (norm / weight.norm())) },
      loss: { batch in
        let entropy = F.crossEntropy(context.compute { model(batch.images) }, batch.labels)
        let likeness = Self.likeness(weight, to: old)
        return BatchLoss(entropy + likeness * c.alpha, parts: ["likeness": likeness.detach()])
      })
    return DefenseOutcome(model: model)
  }

  /// The inner product of the new and the old weights, which the loss makes smaller.
  package static func likeness(_ weight: Tensor, to old: Tensor) -> Tensor { (weight * old).sum() }
}

extension FeatureShiftTuning.Configuration {
  /// SGD without Nesterov momentum along a cosine, every batch.
  var recipe: Recipe {
    var settings = FineTuning.Configuration()
    (settings.epochs, settings.batch, settings.learningRate) = (epochs, batch, learningRate)
    (settings.momentum, settings.weightDecay, settings.crop, settings.flip) = (momentum, weightDecay, crop, flip)
    return settings.recipe
  }
}
