// Fine-tuning (FT): the suspect model trains on, on clean images alone. The baseline that every post-training defense
// is compared with; settings of the benchmarks: 5% clean data, 100 epochs, SGD .01, cosine, batch 256, augmented.

public import Backdoor
public import Support
import Training
import Vision

public struct FineTuning: Defense {
  public static let id = "ft"
  public static let summary = "Fine-tunes the suspect model on clean images."
  public static let paper = "baseline of the backdoor benchmarks"
  public static let stage = DefenseStage.model
  public static let requires: Set<Resource> = [.model, .cleanSplit]

  public struct Configuration: Configurable {
    public var epochs = 100
    public var batch = 256
    public var learningRate = 0.01
    public var momentum = 0.9
    public var weightDecay = 5e-4
    public var crop = 4
    public var flip = true
    public init() {}
    public static let settings: [Setting] = settings(source: "benchmarks")

    /// The settings of fine-tuning by SGD, for defenses that have them beside their own.
    /// - Parameters:
    ///   - source: where the defaults come from.
    ///   - weightDecay: where that of the L2 penalty comes from, if its source says more.
    static func settings(source: String, weightDecay: String? = nil) -> [Setting] {
      [
        Setting("epochs", "Passes over the clean images.", unit: "epochs", range: 0...100_000, source: source),
        Setting("batch", "Images in one step.", unit: "images", range: 1...65_536, source: source),
        Setting(
          "learningRate", "SGD's learning rate; falls along a cosine over all epochs.", range: 0...100, source: source),
        Setting("momentum", "SGD's momentum.", range: 0...0.9999, source: source),
        Setting("weightDecay", "L2 penalty.", range: 0...1, source: weightDecay ?? source),
        Setting(
          "crop", "Zero padding of the random crop; 0 switches it off.", unit: "pixels", range: 0...64, source: source),
        Setting("flip", "Random horizontal flip.", source: source),
      ]
    }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let model = try input.model().copied()
    try Trainer(configuration.recipe, stage: Self.id).train(model, on: input.cleanSplit(), context: input.training)
    return DefenseOutcome(model: model)
  }
}

extension FineTuning.Configuration {
  /// SGD without Nesterov momentum along a cosine, every batch.
  var recipe: Recipe {
    var recipe = Recipe()
    recipe.epochs = epochs
    recipe.batch = batch
    recipe.learningRate = learningRate
    recipe.momentum = momentum
    recipe.nesterov = false
    recipe.weightDecay = weightDecay
    recipe.schedule = .cosine
    recipe.crop = crop
    recipe.flip = flip
    recipe.dropLast = false
    return recipe
  }
}
