// Neural Attention Distillation, NAD (Li, Lyu, Koren, Lyu, Li, Ma: Neural Attention Distillation: Erasing Backdoor
// Triggers from Deep Neural Networks, ICLR 2021), section 3: a teacher is the suspect model, fine-tuned for some epochs
// on the clean images; the student, which starts as the suspect model, learns the labels and the teacher's attention
// maps. The attention of a stage is the sum over channels of |F|^p (equation 2), as a vector of length one; the loss is
// cross entropy plus beta times the mean squared difference of the maps, summed over the stages (equations 3 and 4).
//
// One forward pass a network gives its logits and all its attention maps. A stage with a map of one pixel is left out:
// of length one, its map is constant. From the authors' code: SGD with Nesterov momentum .9 and weight decay 1e-4, batches
// of 64, a rate of .1 for two epochs, then .01, then 1e-4 from epoch 20; 1e-6 beside the length; the teacher in evaluation mode.
// The authors' network has three stages; the weights are those of the last three that are left in.

public import Backdoor
import Files
public import Support
public import Torch
import TorchNN
import Training
import Vision

public struct AttentionDistillation: Defense {
  public static let id = "nad"
  public static let summary = "Learns the attention maps of a fine-tuned copy of the suspect model."
  public static let paper = "Li et al. 2021, Neural Attention Distillation (ICLR)"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public static let presets = [
    // The scheduler that its configuration names never steps: each epoch sets the rate.
    SettingsPreset(
      "backdoorbench", "BackdoorBench, config/defense/nad/cifar10.yaml and defense/nad.py",
      [
        "epochs": 100, "batch": 256, "rates": [0.01, 0.0001], "milestones": [20], "nesterov": false,
        "weightDecay": 5e-4, "cutout": 0,
      ]),
    SettingsPreset(
      "gao-2022", "Gao et al. 2022, section 4: a first rate of .01", ["rates": [0.01, 0.0001], "milestones": [20]]),
  ]

  public struct Configuration: Configurable {
    public var teacherEpochs = 10
    public var epochs = 20
    public var batch = 64
    public var rates = [0.1, 0.01, 0.0001]
    public var milestones = [2, 20]
    public var momentum = 0.9
    public var nesterov = true
    public var weightDecay = 1e-4
    public var betas = [500.0, 1000, 1000]
    public var power = 2.0
    public var crop = 4
    public var flip = true
    public var cutout = 9
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "teacherEpochs", "Epochs of fine-tuning that make the teacher.", unit: "epochs", range: 0...100_000,
        source: "authors' instructions: 5 to 10"),
      Setting(
        "epochs", "Epochs of the student.", unit: "epochs", range: 0...100_000,
        source: "authors' code: 20"),
      Setting("batch", "Images in one step.", unit: "images", range: 2...65_536, source: "authors' code: 64"),
      Setting(
        "rates", "SGD's learning rates, one after the other; teacher and student alike.", range: 0...100,
        source: "authors' code"),
      Setting(
        "milestones", "Epochs, from 0, at which the next rate begins.", unit: "epochs", range: 0...100_000,
        source: "authors' code"),
      Setting("momentum", "SGD's momentum.", range: 0...0.9999, source: "authors' code"),
      Setting("nesterov", "Nesterov momentum.", source: "authors' code: on; benchmarks: off"),
      Setting("weightDecay", "L2 penalty.", range: 0...1, source: "authors' code: 1e-4; benchmarks: 5e-4"),
      Setting(
        "betas", "Weights of the attention losses of the last stages, from the input on.", range: 0...1_000_000,
        source: "authors' code: 500, 1,000, 1,000"),
      Setting("power", "Power of the activations in an attention map.", range: 1...10, source: "authors' code: 2"),
      Setting(
        "crop", "Zero padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64,
        source: "authors' code: 4"),
      Setting("flip", "Random horizontal flip.", source: "authors' code"),
      Setting(
        "cutout", "Side of the black square; 0 switches it off.", unit: "pixels", range: 0...4096,
        source: "paper, section 4.1: 9; authors' code: 3"),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let (c, clean) = (configuration, Double(size.clean))
    return [
      PlannedWork("nad-teacher", images: Double(c.teacherEpochs) * clean),
      PlannedWork(Self.id, images: Double(c.epochs) * clean, cost: 1.3),
    ]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (context, c) = (input.training, configuration)
    guard c.rates.count == c.milestones.count + 1, c.milestones == c.milestones.sorted() else {
      throw DefenseError.invalid(
        "defense.rates has \(c.rates.count) values and defense.milestones \(c.milestones.count): there is one rate more "
          + "than there are milestones, and milestones rise.")
    }
    guard !c.betas.isEmpty else {
      throw DefenseError.invalid("defense.betas is empty: nad needs the weight of one stage at least.")
    }
    let clean = try input.cleanSplit().to(context.device)
    let (teacher, student) = (try input.model().copied(), try input.model().copied())
    for model in [teacher, student] { model.to(context.device).to(.channelsLast).eval() }
    let stages = noGrad { student.features(clean.pixels(0..<1)).stages }.filter {
      $0.shape.dropFirst(2).reduce(1, *) > 1
    }
    guard !stages.isEmpty else {
      throw DefenseError.invalid(
        "defense nad compares attention maps, and no stage of this network has one of more than a pixel at "
          + "\(clean.height)x\(clean.width) pixels. Larger images have.")
    }
    try train(teacher, on: clean, stage: "nad-teacher", epochs: c.teacherEpochs, isMeasured: false, context) { batch in
      BatchLoss(context.compute { F.crossEntropy(teacher(images(of: batch)), batch.labels) })
    }
    try train(student, on: clean, stage: Self.id, epochs: c.epochs, isMeasured: true, context) { batch in
      let images = images(of: batch)
      let taught = noGrad { context.compute { teacher.features(images).stages } }
      let (logits, features) = context.compute { student.logitsAndFeatures(images) }
      let entropy = F.crossEntropy(logits, batch.labels)
      let attention = Self.attentionLoss(features.stages, taught, betas: c.betas, power: c.power)
      return BatchLoss(entropy + attention, parts: ["cleanLoss": entropy, "attentionLoss": attention])
    }
    return DefenseOutcome(model: student)
  }

  private func images(of batch: Batch) -> Tensor {
    guard configuration.cutout > 0 else { return batch.images }
    return Cutout(size: configuration.cutout)(batch.images, batch.generator("cutout"))
  }

  private func train(
    _ model: Classifier, on clean: ImageDataset, stage: String, epochs: Int, isMeasured: Bool,
    _ context: TrainingContext, loss: (Batch) throws -> BatchLoss
  ) throws {
    let c = configuration
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.crop, recipe.flip, recipe.dropLast) = (epochs, c.batch, c.crop, c.flip, false)
    let optimizer = SGD(
      model.parameters(), learningRate: c.rates[0], momentum: c.momentum, weightDecay: c.weightDecay,
      nesterov: c.nesterov && c.momentum > 0)
    var trainer = Trainer(recipe, stage: stage)
    trainer.isMeasured = isMeasured
    try trainer.train(
      model, on: clean, context: context, optimizer: optimizer,
      rate: { epoch in c.rates[c.milestones.count { $0 <= epoch }] }, loss: loss)
  }

  /// The attention map of N x C x H x W activations: N x H x W, each image's of length one.
  public static func attention(_ activations: Tensor, power: Double) -> Tensor {
    let map = activations.to(.float32).abs().pow(power).sum([1])
    return map / ((map * map).sum([1, 2], keep: true).sqrt() + 1e-6)
  }

  /// The weighted sum over stages of the mean squared difference of attention maps; weights belong to the last stages.
  /// Stages of one pixel do not count.
  public static func attentionLoss(_ student: [Tensor], _ teacher: [Tensor], betas: [Double], power: Double) -> Tensor {
    let pairs = zip(student, teacher).filter { $0.0.dimension(2) * $0.0.dimension(3) > 1 }
    let count = min(pairs.count, betas.count)
    var sum = Tensor(0, device: student[0].device)
    for ((own, taught), beta) in zip(pairs.suffix(count), betas.suffix(count)) {
      sum = sum + F.mseLoss(attention(own, power: power), attention(taught, power: power)) * beta
    }
    return sum
  }
}
