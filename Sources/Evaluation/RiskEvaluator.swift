public import Defenses
import Torch
import TorchNN
public import Training
public import Vision

/// Estimates the risks of a model against its backdoored reference on some test images, by the ascent that SAU uses. A
/// search finds a lower bound of the worst case.
public struct RiskEvaluator {
  private let images: ImageDataset
  private let triggered: ImageDataset?
  private let targets: [Int?]
  private let reference: Classifier
  private let referenceClean: Tensor
  private let poisonedReference: [Int]
  private let adversary: SharedAdversarialUnlearning.Configuration

  /// - Parameters:
  ///   - images: the samples to judge by, with their triggered versions and the attack's targets.
  ///   - adversary: the ball, steps and start of the search.
  public init(
    images: ImageDataset, triggered: ImageDataset?, targets: [Int?], reference: Classifier,
    adversary: SharedAdversarialUnlearning.Configuration, context: TrainingContext
  ) {
    self.images = images.to(context.device)
    self.triggered = triggered?.to(context.device)
    self.targets = targets
    self.reference = reference
    self.adversary = adversary
    referenceClean = noGrad { reference.logits(of: images, context: context).argmax(1) }
    poisonedReference = triggered.map { Self.classes(reference, $0, context) } ?? []
  }

  public func measure(_ model: Classifier, context: TrainingContext) -> Risks {
    var vanilla = adversary
    vanilla.inner = .vanilla
    var shared = adversary
    shared.inner = .shared
    var adversarial: [[Int]] = [[], []]
    var adversarialReference: [[Int]] = [[], []]
    model.withMode(training: false) {
      reference.withMode(training: false) {
        let clean = noGrad { model.logits(of: images, context: context).argmax(1) }
        for range in Batches(count: images.count, size: 256).ranges {
          let pixels = images.pixels(range).contiguous(.channelsLast)
          for (number, search) in [vanilla, shared].enumerated() {
            let delta = search.perturb(
              pixels, labels: images.labels[range], student: model, reference: reference,
              clean: (clean[range], referenceClean[range]),
              context: context, generator: context.generator("risks/start"))
            let perturbed = adversary.clamp ? (pixels + delta).clamped(0, 1) : pixels + delta
            adversarial[number] += Self.classes(model, perturbed, context)
            adversarialReference[number] += Self.classes(reference, perturbed, context)
          }
        }
      }
    }
    let poisoned = triggered.map { Self.classes(model, $0, context) } ?? []
    return Risks(
      RiskPredictions(
        labels: images.labelArray(), poisoned: poisoned, poisonedReference: poisonedReference, adversarial: adversarial,
        adversarialReference: adversarialReference), targets: targets)
  }

  private static func classes(_ model: Classifier, _ pixels: Tensor, _ context: TrainingContext) -> [Int] {
    noGrad { context.compute { model(pixels) }.argmax(1) }.array(Int64.self).map(Int.init)
  }
  private static func classes(_ model: Classifier, _ data: ImageDataset, _ context: TrainingContext) -> [Int] {
    noGrad { model.logits(of: data, context: context).argmax(1) }.array(Int64.self).map(Int.init)
  }
}
