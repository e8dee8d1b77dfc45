// ShrinkPad (Li, Zhai, Jiang, Li, Xia: Backdoor Attack in the Physical World, 2021): images are shrunk and filled up with
// black before the model sees them, at test time, or in training as well. A model learned its trigger at one place and
// size; moved and smaller it is another pattern.
//
// A tenth of the side becomes black at the bottom and the right, as the decoupling paper compares it (Huang et al. 2022,
// B.3); the original pads at random, which is an option (`random`). The guard is part of the model: its file names it, and
// evaluation and other defenses see the guarded model.

public import Backdoor
public import Support
import Torch
import TorchNN
public import Training
import Vision

/// The guard at test time: the model as it is, behind ShrinkPad.
public struct ShrinkPadGuard: Defense {
  public static let id = "shrinkpad"
  public static let summary = "Shrinks images and pads them before the model sees them, at test time."
  public static let paper = "Li et al. 2021, Backdoor Attack in the Physical World"
  public static let stage = DefenseStage.input
  public static let requires: Set<Resource> = [.model]

  public struct Configuration: Configurable, Hashable {
    public var share = 0.1
    public var random = false
    public init() {}
    public static let settings: [Setting] = [
      Setting(
        "share", "Share of each side that becomes black.", unit: "fraction", range: 0...0.9,
        source: "decoupling paper, B.3: 10%"),
      Setting(
        "random", "Each image of a batch at a place of its own; else all at the top left.",
        source: "decoupling paper, B.3: bottom right; Li et al.: random"),
    ]

    func transform(_ seed: Seed) -> ShrinkPad { ShrinkPad(share: share, seed: random ? seed("shrinkpad") : nil) }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let model = try input.model().copied()
    guard model.shrinkPad == nil else {
      throw DefenseError.invalid("defense \(Self.id): the model shrinks its images already. Give the one before.")
    }
    model.to(.channelsLast).eval()
    model.shrinkPad = configuration.transform(input.seed)
    return DefenseOutcome(model: model)
  }
}

/// Training behind ShrinkPad, and the same at test time.
public struct ShrinkPadTraining: Defense {
  public static let id = "shrinkpad-training"
  public static let summary = "Trains on images that are shrunk and padded; the model does the same at test time."
  public static let paper = ShrinkPadGuard.paper
  public static let stage = DefenseStage.training
  public static let requires: Set<Resource> = [.poisonedTrain]

  public struct Configuration: Configurable, Hashable {
    public var transform = ShrinkPadGuard.Configuration()
    public var recipe = Recipe.adversarial
    public init() {}
    public static let settings: [Setting] = [
      Setting("transform", "What is done to images.", nested: ShrinkPadGuard.Configuration.self),
      Setting("recipe", "Training.", source: "adversarial-training paper", nested: Recipe.self),
    ]
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let data = try input.poisonedTrain().to(input.training.device)
    let model = try input.makeModel()
    model.shrinkPad = configuration.transform.transform(input.seed)
    try Trainer(configuration.recipe, stage: Self.id).train(model, on: data, context: input.training)
    return DefenseOutcome(model: model)
  }
}
