// Anti-backdoor learning, ABL (Li et al.: Anti-Backdoor Learning: Training Clean Models on Poisoned Data, NeurIPS 2021),
// section 3. Backdoors are learned faster than classes. So the loss is first kept near gamma, which clean samples do not
// get below while poisoned ones do; the samples with the smallest losses are isolated; the model trains on with the
// others, and then unlearns the isolated ones by gradient ascent.
//
// The paper writes the ascent for each sample, sign(l - gamma) l (equation 3); its code takes the sign of the batch's
// mean loss, which is the default here and a setting (`ascent`). Flooding, |L - b| + b, which its code also has, has the
// same gradient as the sign of the batch's loss: there is no setting for it. As in the code, fine-tuning and unlearning
// follow each other; the paper's equation has both in one loss.
//
// Where the paper is silent: losses for isolation are those of evaluation mode and without augmentation; each stage has
// an optimizer of its own. The authors' code: 10, 60 and 5 epochs, unlearning rate 5e-4, batches of 128, and no
// augmentation in the first stage.
//
// BackdoorBench: batches of 256, rates of .01 in the first two stages, 1e-4 in the third whatever its configuration says,
// and no augmentation in the first stage either (`crop` and `flip` here hold for all stages).

public import Backdoor
import Files
public import Support
package import Torch
import TorchNN
import Training
import Vision

public struct AntiBackdoorLearning: Defense {
  public static let id = "abl"
  public static let summary = "Isolates the samples that are learned first, trains on the rest, and unlearns them."
  public static let paper = "Li et al. 2021, Anti-Backdoor Learning (NeurIPS)"
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]

  /// Whose loss decides whether a step descends or ascends.
  public enum Ascent: String, Codable, Sendable, CaseIterable { case batch, sample }

  public static let presets = [
    SettingsPreset(
      "authors", "the authors' code, config.py and backdoor_unlearning.py",
      ["isolationEpochs": 10, "unlearningEpochs": 5, "unlearningRate": 5e-4, "batch": 128]),
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/abl/config.yaml and defense/abl.py",
      ["batch": 256, "learningRate": 0.01, "tuningRate": 0.01]),
    SettingsPreset("gao-2022", "Gao et al. 2022, section 4: a threshold of 0", ["gamma": 0]),
  ]

  public struct Configuration: Configurable, Hashable {
    public var ascent = Ascent.batch
    public var gamma = 0.5
    public var isolated = 0.01
    public var isolationEpochs = 20
    public var tuningEpochs = 60
    public var unlearningEpochs = 20
    public var batch = 64
    public var learningRate = 0.1
    public var tuningRate = 0.1
    public var tuningMilestone = 40
    public var unlearningRate = 1e-4
    public var momentum = 0.9
    public var nesterov = true
    public var weightDecay = 1e-4
    public var crop = 4
    public var flip = true
    public init() {}

    public static let settings: [Setting] = [
      Setting(
        "ascent", "Ascend where the loss of the batch, or of a sample, is below gamma.",
        choices: Ascent.allCases.map(\.rawValue), source: "authors' code: batch; paper, equation 3: sample"),
      Setting(
        "gamma", "Loss below which the first stage ascends.", range: 0...100,
        source: "authors' code: .5; Gao et al. 2022: 0"),
      Setting(
        "isolated", "Share of the training set with the smallest losses that is unlearned.", unit: "fraction",
        range: 0...0.5, source: "authors' code: .01"),
      Setting(
        "isolationEpochs", "Passes over all samples before the isolation.", unit: "epochs", range: 1...100_000,
        source: "paper and benchmarks: 20; authors' code: 10"),
      Setting(
        "tuningEpochs", "Passes over the samples that are left.", unit: "epochs", range: 0...100_000,
        source: "authors' code: 60"),
      Setting(
        "unlearningEpochs", "Passes over the isolated samples, by ascent.", unit: "epochs", range: 0...100_000,
        source: "paper and benchmarks: 20; authors' code: 5"),
      Setting(
        "batch", "Images in one step.", unit: "images", range: 1...65_536,
        source: "paper; authors' code: 128; benchmarks: 256"),
      Setting(
        "learningRate", "SGD's learning rate before the isolation.", range: 0...100,
        source: "authors' code: .1; benchmarks: .01"),
      Setting(
        "tuningRate", "The same on the samples that are left.", range: 0...100,
        source: "authors' code: .1; benchmarks: .01"),
      Setting(
        "tuningMilestone", "Epoch of tuning from which on its rate is a tenth.", unit: "epochs", range: 0...100_000,
        source: "authors' code"),
      Setting(
        "unlearningRate", "The same of unlearning.", range: 0...100,
        source: "paper and benchmarks: 1e-4; authors' code: 5e-4"),
      Setting("momentum", "SGD's momentum.", range: 0...0.9999, source: "authors' code"),
      Setting("nesterov", "Nesterov momentum.", source: "authors' code"),
      Setting("weightDecay", "L2 penalty.", range: 0...1, source: "authors' code: 1e-4"),
      Setting(
        "crop", "Zero padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64, source: "paper"),
      Setting("flip", "Random horizontal flip.", source: "paper"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let (c, train) = (configuration, Double(size.train))
    let isolated = c.isolated * train
    return [
      PlannedWork("abl-isolate", images: Double(c.isolationEpochs) * train),
      PlannedWork("abl-tune", images: Double(c.tuningEpochs) * (train - isolated)),
      PlannedWork("abl-unlearn", images: Double(c.unlearningEpochs) * isolated),
    ]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (c, context) = (configuration, input.training)
    let data = try input.poisonedTrain().to(context.device)
    let count = Int(c.isolated * Double(data.count))
    guard count > 0 || c.isolated == 0 else {
      throw DefenseError.invalid(
        "defense.isolated \(c.isolated): that is no sample of \(data.count). Raise it, or use more data.")
    }
    if count == 1, c.unlearningEpochs > 0 {
      throw DefenseError.invalid(
        "defense.isolated \(c.isolated): that is one sample of \(data.count), and a step needs two. Raise it, or use "
          + "more data.")
    }
    let model = try input.makeModel()

    try Trainer(recipe(c.isolationEpochs, c.learningRate), stage: "abl-isolate").train(
      model, on: data, context: context
    ) { batch in
      let losses = context.compute { F.crossEntropy(model(batch.images), batch.labels, reduction: .none) }
      return BatchLoss(
        Self.ascending(losses, c.ascent, gamma: c.gamma), parts: ["crossEntropy": losses.detach().mean()])
    }
    let losses = noGrad {
      F.crossEntropy(model.logits(of: data, context: context), data.labels, reduction: .none)
    }
    let split = CredibleSplit(losses: losses, share: c.isolated)
    let (isolated, rest) = (split.credible.array(Int64.self).sorted(), split.other.array(Int64.self).sorted())

    if c.tuningEpochs > 0 {
      var tuning = recipe(c.tuningEpochs, c.tuningRate)
      (tuning.schedule, tuning.milestones) = (.multiStep, [c.tuningMilestone])
      try Trainer(tuning, stage: "abl-tune").train(
        model, on: data, samples: Tensor(rest).to(context.device), context: context
      ) { tuning.crossEntropy(model, $0, context: context) }
    }
    if c.unlearningEpochs > 0, count > 0 {
      try Trainer(recipe(c.unlearningEpochs, c.unlearningRate), stage: "abl-unlearn").train(
        model, on: data, samples: Tensor(isolated).to(context.device), context: context
      ) { batch in
        BatchLoss(-context.compute { F.crossEntropy(model(batch.images), batch.labels) })
      }
    }
    let values = losses.to(.float64).array(Double.self)
    return DefenseOutcome(
      model: model, filtered: (rest.map(Int.init), isolated.map(Int.init)), suspicion: values.map { -$0 },
      scores: [
        SampleScores(title: "loss before the isolation", values: values, threshold: split.threshold)
      ])
  }

  /// Equation 3 of the paper: the loss, which turns its sign below gamma.
  /// - Parameter losses: one a sample, float B.
  package static func ascending(_ losses: Tensor, _ ascent: Ascent, gamma: Double) -> Tensor {
    let values = ascent == .batch ? losses.mean() : losses
    return ((values.detach() - gamma).sign() * values).mean()
  }

  private func recipe(_ epochs: Int, _ rate: Double) -> Recipe {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.dropLast) = (epochs, configuration.batch, false)
    (recipe.learningRate, recipe.schedule) = (rate, .constant)
    (recipe.momentum, recipe.nesterov) = (configuration.momentum, configuration.nesterov)
    recipe.weightDecay = configuration.weightDecay
    (recipe.crop, recipe.flip) = (configuration.crop, configuration.flip)
    return recipe
  }
}
