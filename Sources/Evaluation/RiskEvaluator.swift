public import Defenses
import Support
import Torch
import TorchNN
public import Training
public import Vision

/// Estimates the risks of a model against its backdoored reference on some test images, by the ascent that SAU uses. A
/// search finds a lower bound of the worst case: of each risk the vanilla and the shared objective are tried.
public struct RiskEvaluator {
  private let images: ImageDataset
  private let triggered: [ImageDataset]
  private let targets: [[Int?]]
  private let reference: Classifier
  private let referenceClean: Tensor
  private let poisonedReference: [[Int]]
  private let adversary: SharedAdversarialUnlearning.Configuration

  /// - Parameters:
  ///   - images: the samples to judge by.
  ///   - triggered: the same samples with each trigger.
  ///   - targets: what each trigger wants of each sample; nil where it does not aim at it.
  ///   - adversary: the ball, steps and start of the search; its objectives and target are not used.
  public init(
    images: ImageDataset, triggered: [ImageDataset], targets: [[Int?]], reference: Classifier,
    adversary: SharedAdversarialUnlearning.Configuration, context: TrainingContext
  ) {
    self.images = images.to(context.device)
    self.triggered = triggered.map { $0.to(context.device) }
    self.targets = targets
    self.reference = reference
    self.adversary = adversary
    referenceClean = noGrad { reference.logits(of: images, context: context).argmax(1) }
    poisonedReference = triggered.map { Self.classes(reference, $0, context) }
  }

  /// - Throws: `Interrupted`.
  public func measure(_ model: Classifier, context: TrainingContext) throws -> Risks {
    let clean = noGrad { model.logits(of: images, context: context).argmax(1) }
    let all = Array(0..<images.count)
    var predictions = RiskPredictions(
      labels: images.labelArray(), poisoned: triggered.map { Self.classes(model, $0, context) },
      poisonedReference: poisonedReference,
      adversarial: RiskPredictions.Candidates())
    try model.withMode(training: false) {
      try reference.withMode(training: false) {
        func candidates(_ samples: [Int], universal: Bool = false, target: Int? = nil) throws
          -> RiskPredictions.Candidates
        {
          let found = try SharedAdversary.Objective.allCases.map {
            try tried($0, universal: universal, target: target, samples, model, clean, context)
          }
          return RiskPredictions.Candidates(found.map(\.model), reference: found.map(\.reference))
        }
        predictions.adversarial = try candidates(all)
        let aimed = all.filter { sample in targets.contains { $0[sample] != nil } }
        guard !aimed.isEmpty else { return }
        predictions.universal = try candidates(aimed, universal: true)
        for target in Set(targets.joined().compactMap { $0 }).sorted() {
          let found = try candidates(all.filter { i in targets.contains { $0[i] == target } }, target: target)
          predictions.targeted.model += found.model
          predictions.targeted.reference += found.reference
        }
      }
    }
    return Risks(predictions, targets: targets)
  }

  /// The classes of model and reference on all images, of which those in `samples` are perturbed by a search with one
  /// objective. The others keep their labels, which no risk counts.
  private func tried(
    _ objective: SharedAdversary.Objective, universal: Bool, target: Int?, _ samples: [Int], _ model: Classifier,
    _ clean: Tensor, _ context: TrainingContext
  ) throws -> (model: [Int], reference: [Int]) {
    var search = adversary
    (search.inner, search.universal, search.target) = (objective, universal, target)
    var (own, other) = (images.labelArray(), images.labelArray())
    var common: Tensor?
    for range in Batches(count: samples.count, size: Batches.evaluationSize).ranges {
      try Interruption.check()
      let rows = Tensor(samples[range].map(Int64.init)).to(context.device)
      let part = images.subset(Array(samples[range]))
      let pixels = part.pixels(0..<part.count).contiguous(.channelsLast)
      // A perturbation for all is searched on the first batch and counted on every one.
      let delta =
        common
        ?? search.perturb(
          pixels, labels: part.labels, student: model, reference: reference,
          clean: (clean[rows], referenceClean[rows]), context: context, generator: context.generator("risks/start"))
      if universal { common = delta }
      let perturbed = adversary.clamp ? (pixels + delta).clamped(0, 1) : pixels + delta
      for (row, sample) in zip(Self.classes(model, perturbed, context), samples[range]) { own[sample] = row }
      for (row, sample) in zip(Self.classes(reference, perturbed, context), samples[range]) { other[sample] = row }
    }
    return (own, other)
  }

  private static func classes(_ model: Classifier, _ pixels: Tensor, _ context: TrainingContext) -> [Int] {
    noGrad { context.compute { model(pixels) }.argmax(1) }.array(Int64.self).map(Int.init)
  }
  private static func classes(_ model: Classifier, _ data: ImageDataset, _ context: TrainingContext) -> [Int] {
    noGrad { model.logits(of: data, context: context).argmax(1) }.array(Int64.self).map(Int.init)
  }
}
