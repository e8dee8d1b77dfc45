public import Support
public import Torch
public import TorchNN
public import Vision

/// How a model is trained: optimizer, schedule, batches, augmentation.
public struct Recipe: Configurable, Hashable {
  public enum Algorithm: String, Codable, Sendable, CaseIterable { case sgd, adam, adamw }
  public enum ScheduleShape: String, Codable, Sendable, CaseIterable {
    case constant, cosine
    case multiStep = "multi-step"
    case oneCycle = "one-cycle"
  }

  public var epochs = 10
  public var batch = 128
  public var optimizer = Algorithm.sgd
  public var learningRate = 0.1
  public var momentum = 0.9
  public var nesterov = true
  public var weightDecay = 5e-4
  public var schedule = ScheduleShape.oneCycle
  public var milestones: [Int] = []
  public var gamma = 0.1
  public var period: Int? = nil
  public var warmup = 0.3
  public var crop = 4
  public var flip = true
  public var labelSmoothing = 0.0
  public var dropLast = true
  public var clipNorm: Double? = nil

  public init() {}

  public static let settings: [Setting] = [
    Setting("epochs", "Passes over the training set.", unit: "epochs", range: 0...100_000),
    Setting("batch", "Images in one optimizer step.", unit: "images", range: 1...65_536),
    Setting("optimizer", "Optimizer.", choices: Algorithm.allCases.map(\.rawValue)),
    Setting("learningRate", "Learning rate (for one-cycle: its peak).", range: 0...100),
    Setting("momentum", "Momentum of SGD; beta1 of Adam.", range: 0...0.9999),
    Setting("nesterov", "Nesterov momentum (SGD)."),
    Setting("weightDecay", "L2 penalty (decoupled for adamw).", range: 0...1),
    Setting("schedule", "Learning rate over time.", choices: ScheduleShape.allCases.map(\.rawValue)),
    Setting(
      "milestones", "Epochs at which a multi-step schedule multiplies the rate by gamma.", unit: "epochs",
      range: 0...100_000),
    Setting("gamma", "Factor at each milestone.", range: 0...1),
    Setting("period", "Half period of the cosine; empty means all epochs.", unit: "epochs", range: 1...1_000_000),
    Setting("warmup", "Share of all steps in which one-cycle rises.", unit: "fraction", range: 0...1),
    Setting(
      "crop", "Zero padding of the random crop, one draw per image; 0 switches it off.", unit: "pixels", range: 0...64),
    Setting("flip", "Random horizontal flip, one draw per image."),
    Setting("labelSmoothing", "Share of each target spread over all classes.", unit: "fraction", range: 0...1),
    Setting("dropLast", "Leave out the last batch of an epoch if it is not full."),
    Setting("clipNorm", "Largest 2-norm of all gradients together; empty means no limit.", range: 1e-9...1e9),
  ]

  public func makeOptimizer(_ parameters: [Tensor]) -> Optimizer {
    switch optimizer {
    case .sgd:
      SGD(
        parameters, learningRate: learningRate, momentum: momentum, weightDecay: weightDecay,
        nesterov: nesterov && momentum > 0)
    case .adam: Adam(parameters, learningRate: learningRate, betas: (momentum, 0.999), weightDecay: weightDecay)
    case .adamw:
      Adam(
        parameters, learningRate: learningRate, betas: (momentum, 0.999), weightDecay: weightDecay,
        decoupledWeightDecay: true)
    }
  }

  /// The learning rate of an optimizer step.
  public func rate(epoch: Int, step: Int, stepsPerEpoch: Int) -> Double {
    switch schedule {
    case .constant: learningRate
    case .cosine: Schedule.cosine(period: period ?? epochs).rate(at: epoch, base: learningRate)
    case .multiStep: Schedule.multiStep(milestones: milestones, gamma: gamma).rate(at: epoch, base: learningRate)
    case .oneCycle:
      Schedule.oneCycle(steps: max(epochs * stepsPerEpoch, 2), warmup: warmup).rate(
        at: epoch * stepsPerEpoch + step, base: learningRate)
    }
  }

  public var augmentation: CropFlip { CropFlip(padding: crop, flip: flip) }
}

extension Recipe {
  /// The papers' recipes and a fast one for CPUs, by name.
  public static let presets: [(name: String, summary: String, recipe: Recipe)] = [
    ("fast", "One-cycle SGD .1 with Nesterov momentum, 10 epochs: good accuracy in minutes on a CPU.", Recipe()),
    (
      "benchmark", "SGD .01, cosine over 100 epochs: the backdoor benchmarks' attack training.",
      sgd(epochs: 100, rate: 0.01, .cosine)
    ),
    (
      "adversarial", "SGD .1, 100 epochs, /10 at 60 and 90: adversarial training against backdoors.",
      adversarial
    ),
    ("decoupled", "SGD .1, 200 epochs, /10 at 100 and 150: decoupled training (DBD).", decoupled),
    (
      "decoupled-imagenet", "SGD .1, batch 256, 90 epochs, /10 at 30 and 60: decoupled training (DBD) on ImageNet.",
      decoupledImageNet
    ),
    ("self-expansion", "SGD .02, 100 epochs, /10 at 75 and 90: self-expansion.", selfExpansion),
    ("noisy-label", "AdamW 3e-4, 100 epochs, no augmentation: the noisy-label meta-algorithm.", noisyLabel),
  ]

  /// What Gao et al. (On the Effectiveness of Adversarial Training against Backdoor Attacks, 2022) train with,
  /// adversarially or not.
  public static let adversarial = sgd(epochs: 100, rate: 0.1, .multiStep, milestones: [60, 90])
  /// Standard training in Huang et al. (Backdoor Defense via Decoupling the Training Process, 2022).
  public static let decoupled = sgd(epochs: 200, rate: 0.1, .multiStep, milestones: [100, 150])
  /// The same on ImageNet (appendix B.2), which is PyTorch's example for ImageNet.
  public static let decoupledImageNet = {
    var recipe = sgd(epochs: 90, rate: 0.1, .multiStep, milestones: [30, 60])
    (recipe.batch, recipe.weightDecay) = (256, 1e-4)
    return recipe
  }()
  /// The final training of Jin et al. (Self-Expansion and Compatibility, 2021).
  public static let selfExpansion = sgd(epochs: 100, rate: 0.02, .multiStep, milestones: [75, 90])
  /// The noisy-label paper's recipe for all its methods.
  public static let noisyLabel = {
    var recipe = Recipe()
    recipe.epochs = 100
    recipe.optimizer = .adamw
    recipe.learningRate = 3e-4
    recipe.weightDecay = 0.01
    recipe.schedule = .constant
    recipe.crop = 0
    recipe.flip = false
    return recipe
  }()

  /// The same with a schedule that rises to the paper's rate and falls to 0. A network that goes on learning at the
  /// constant rate learns, late, the triggers that a noisy-label rule lets pass; this one never learns faster.
  public static let noisyLabelOneCycle = {
    var recipe = noisyLabel
    recipe.schedule = .oneCycle
    return recipe
  }()

  /// For a method that has settings of its own in place of a recipe: Adam at a constant rate, every batch, no
  /// augmentation.
  public static func constant(epochs: Int, batch: Int, learningRate: Double) -> Recipe {
    var recipe = Recipe()
    (recipe.epochs, recipe.batch, recipe.dropLast) = (epochs, batch, false)
    (recipe.optimizer, recipe.learningRate, recipe.weightDecay, recipe.schedule) = (.adam, learningRate, 0, .constant)
    (recipe.crop, recipe.flip) = (0, false)
    return recipe
  }

  private static func sgd(epochs: Int, rate: Double, _ schedule: ScheduleShape, milestones: [Int] = []) -> Recipe {
    var recipe = Recipe()
    recipe.epochs = epochs
    recipe.learningRate = rate
    recipe.schedule = schedule
    recipe.milestones = milestones
    recipe.nesterov = false
    return recipe
  }
}
