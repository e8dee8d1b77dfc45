// DPSGD (Abadi et al.: Deep Learning with Differential Privacy, CCS 2016, algorithm 1) as a defense (Hong et al., On the
// Effectiveness of Mitigating Data Poisoning Attacks with Gradient Shaping, 2020): every sample's gradient is clipped to
// norm C, noise of deviation sigma C is added to the sum, and the step is along sum / B: no few samples can steer it.
//
// Batch normalisation mixes the samples of a batch, so group normalisation takes its place (as in Opacus); the model's
// file says so. The decoupling paper has C 1 and searches sigma (Huang et al. 2022, B.3 and tables 10 to 12), the
// adversarial-training paper has sigma .1 and group normalisation (Gao et al. 2022, section 4). Decided here: sigma 1, and
// the recipe of the latter. Batches are of
// fixed size and shuffled, as usual; the accountant's epsilon is that of Poisson sampling at the same rate.
//
// Cost: every sample's gradient or a product of matrices besides the usual backward pass; see PerSampleClipping.

public import Backdoor
import Files
import Foundation
public import Support
import Torch
import TorchNN
public import Training
import Vision

public struct DifferentiallyPrivateTraining: Defense {
  public static let id = "dpsgd"
  public static let summary = "Clips each sample's gradient and adds noise, so that few samples cannot steer training."
  public static let paper = "Abadi et al. 2016, Deep Learning with Differential Privacy; Hong et al. 2020"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]

  public static let presets = [
    SettingsPreset("gao-2022", "Gao et al. 2022, section 4", ["noise": 0.1])
  ]

  public struct Configuration: Configurable, Hashable {
    public var clip = 1.0
    public var noise = 1.0
    public var delta = 1e-5
    public var groups = 16
    public var recipe = Recipe.adversarial
    public init() {}
    public static let settings: [Setting] = [
      Setting("clip", "Largest 2-norm of a sample's gradient.", range: 1e-6...1e6, source: "decoupling paper, B.3: 1"),
      Setting(
        "noise", "Standard deviation of the noise on the sum of a batch's gradients, in units of `clip`.",
        range: 0...1000, source: "decided here; Gao et al. 2022: .1"),
      Setting(
        "delta", "Probability for which the reported epsilon need not hold.", range: 1e-12...0.5, source: "paper"),
      Setting(
        "groups", "Groups of the group normalisation in place of batch normalisation.", range: 1...1024,
        source: "decided here; Opacus: 32"),
      Setting("recipe", "Training, with these gradients.", source: "decided here", nested: Recipe.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (c, context) = (configuration, input.training)
    let data = try input.poisonedTrain().to(context.device)
    let model = try input.makeModel()
    if model.modules().contains(where: { $0.module is BatchNorm2d }) { model.normalizeGroups(c.groups) }
    let clipping = try PerSampleClipping(model, id: Self.id)
    let batches = Batches(count: data.count, size: c.recipe.batch, dropLast: c.recipe.dropLast, joinsSingle: true)
    let steps = c.recipe.epochs * batches.ranges.count
    let rate = Double(min(c.recipe.batch, data.count)) / Double(data.count)
    let epsilon = PrivacyAccountant(rate: rate, noise: c.noise).epsilon(steps: steps, delta: c.delta)
    try Trainer(c.recipe, stage: Self.id).train(model, on: data, context: context) { batch in
      let (sums, losses, norms) = clipping(bound: c.clip) {
        context.compute {
          F.crossEntropy(
            model(batch.images), batch.labels, reduction: .none, labelSmoothing: c.recipe.labelSmoothing)
        }
      }
      let count = Double(batch.indices.count)
      let generator = batch.generator("noise")
      let gradients = noGrad {
        sums.map { ($0 + generator.normal($0.shape) * (c.noise * c.clip)) / count }
      }
      return BatchLoss(
        losses.mean(),
        parts: ["gradientNorm": norms.mean(), "clippedShare": noGrad { (norms .> c.clip).to(.float32).mean() }],
        gradients: gradients)
    }
    context.progress.message(
      "\(Self.id): (epsilon \(epsilon.isFinite ? String(format: "%.2f", epsilon) : "infinite"), delta \(c.delta)) "
        + "differential privacy for each sample after \(formatCount(steps)) steps")
    return DefenseOutcome(model: model)
  }
}
