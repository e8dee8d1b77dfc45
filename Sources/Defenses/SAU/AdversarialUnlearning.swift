public import Backdoor
public import Torch
import TorchNN
public import Training
public import Vision

/// SAU and its ablations: inner maximisation, outer minimisation.
public struct AdversarialUnlearning<Defaults: UnlearningDefaults> {
  public let settings: UnlearningSettings<Defaults>
  public let stage: String

  public init(_ settings: UnlearningSettings<Defaults>, stage: String) {
    self.settings = settings
    self.stage = stage
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let context = input.training
    let clean = try input.cleanSplit().to(context.device)
    let suspect = try input.model()
    if let target = settings.target, !(0..<suspect.classes).contains(target) {
      throw DefenseError.invalid("defense.target \(target): the model has classes 0 to \(suspect.classes - 1).")
    }
    // Both are copies: the caller's model stays on its device, in its layout and mode.
    let (student, reference) = (try suspect.copied(), try suspect.copied())
    for model in [student, reference] { model.to(context.device).to(.channelsLast).eval() }
    // The reference and the images never change, so neither do its predictions on them.
    let referenceClasses = noGrad { reference.logits(of: clean, context: context).argmax(1) }
    var trainer = Trainer(
      .constant(epochs: settings.epochs, batch: settings.batch, learningRate: settings.learningRate), stage: stage)
    trainer.trainingMode = false
    try trainer.train(student, on: clean, context: context, optimizer: settings.makeOptimizer(for: student)) { batch in
      let step = Step(images: batch.images, labels: batch.labels, referenceClasses: referenceClasses[batch.indices])
      let losses = losses(
        step, student: student, reference: reference, context: context, generator: batch.generator("start"))
      return BatchLoss(losses.total, parts: ["cleanLoss": losses.clean, "adversarialLoss": losses.adversarial])
    }
    let exhibit = exhibit(clean, student: student, reference: reference, referenceClasses: referenceClasses, context)
    return DefenseOutcome(model: student, exhibits: [exhibit])
  }

  /// One batch.
  public struct Step {
    /// Pixels, B x C x H x W.
    public let images: Tensor
    /// int64 B.
    public let labels: Tensor
    /// Classes that the reference predicts for `images`, int64 B.
    public let referenceClasses: Tensor
    public init(images: Tensor, labels: Tensor, referenceClasses: Tensor) {
      self.images = images
      self.labels = labels
      self.referenceClasses = referenceClasses
    }
  }

  /// What one step makes smaller.
  public typealias Losses = (total: Tensor, clean: Tensor, adversarial: Tensor)

  /// Inner maximisation, and the outer loss of what it found.
  public func losses(
    _ batch: Step, student: Classifier, reference: Classifier, context: TrainingContext, generator: Generator
  ) -> Losses {
    // The clean pass serves the inner problem (its classes) and the outer one (its loss); in evaluation mode nothing
    // couples the samples.
    let cleanLogits = context.compute { student(batch.images) }
    let delta = settings.perturb(
      batch.images, labels: batch.labels, student: student, reference: reference,
      clean: (noGrad { cleanLogits.argmax(1) }, batch.referenceClasses), context: context, generator: generator)
    return objective(
      batch, delta: delta, cleanLogits: cleanLogits, student: student, reference: reference, context: context)
  }

  /// The outer loss for given perturbations (equation 13).
  /// - Parameter cleanLogits: the student's on the batch's images, B x K.
  public func objective(
    _ batch: Step, delta: Tensor, cleanLogits: Tensor, student: Classifier, reference: Classifier,
    context: TrainingContext
  ) -> Losses {
    let perturbed = settings.clamp ? (batch.images + delta).clamped(0, 1) : batch.images + delta
    let cleanLoss = F.crossEntropy(cleanLogits, batch.labels)
    let logits = context.compute { student(perturbed) }
    if settings.outer == .vanilla {
      let adversarial = adversarialLoss(logits, batch.labels)
      return (cleanLoss * settings.lambda1 + adversarial * settings.lambda2, cleanLoss, adversarial)
    }
    let (misled, mask) = noGrad { () -> (Tensor, Tensor) in
      let misled = context.compute { reference(perturbed) }.argmax(1)
      var mask = misled .!= batch.labels
      if settings.mask == .moved { mask = mask .& (misled .!= batch.referenceClasses) }
      if let target = settings.target { mask = mask .& (misled .== Double(target)) }
      return (misled, mask.to(.float32))
    }
    let shared = Self.sharedRisk(logits, misled: misled, mask: mask)
    var total = cleanLoss * settings.lambda1 + shared * settings.lambda2
    if settings.adversarialWeight > 0 {
      total = total + adversarialLoss(logits, batch.labels) * settings.adversarialWeight
    }
    return (total, cleanLoss, shared)
  }

  /// Cross entropy on perturbed images. With a target its samples, which nothing perturbs, have no part in the sum over
  /// the batch.
  private func adversarialLoss(_ logits: Tensor, _ labels: Tensor) -> Tensor {
    guard let target = settings.target else { return F.crossEntropy(logits, labels) }
    let active = (labels .!= Double(target)).to(.float32)
    return (F.crossEntropy(logits, labels, reduction: .none) * active).sum() / Double(labels.dimension(0))
  }

  /// L_sar (equation 12, with the authors' clamps): for each sample in the mask, the student's probability of the class
  /// that the reference is misled to should vanish.
  /// - Parameters:
  ///   - logits: of the student on perturbed images, B x K; misled: the reference's classes there, int64 B; mask: 0 or
  ///     1, float B.
  public static func sharedRisk(_ logits: Tensor, misled: Tensor, mask: Tensor) -> Tensor {
    let p = F.softmax(logits, 1).gathered(1, misled.unsqueezed(1)).squeezed(1)
    let others = ((1 - p).clamped(max: 0.999) + 1e-6).log()
    let itself = ((1 + 1e-6) - p.clamped(min: 0.001)).log()
    return (-(others + itself) * mask).sum() * (0.5 / Double(logits.dimension(0)))
  }

  /// Perturbations against the purified model, for people to look at.
  private func exhibit(
    _ clean: ImageDataset, student: Classifier, reference: Classifier, referenceClasses: Tensor,
    _ context: TrainingContext
  ) -> Exhibit {
    let few = clean.prefix(8)
    let images = few.pixels(0..<few.count).contiguous(.channelsLast)
    let own = noGrad { context.compute { student(images) }.argmax(1) }
    let delta = settings.perturb(
      images, labels: few.labels, student: student, reference: reference, clean: (own, referenceClasses[0..<few.count]),
      context: context,
      generator: context.generator("\(stage)/exhibit"))
    return Exhibit(
      title: settings.inner == .shared ? "Shared adversarial perturbations" : "Adversarial perturbations",
      images: few.images,
      perturbations: delta.expanded(images.shape).contiguous(), labels: few.labelArray())
  }
}
