// Stages 1 and 2 of the decoupled training as a sample filter (DBD, appendix, tables 22 to 24): features without
// labels, then the last layer; the samples that it cannot fit are suspicious. See DecouplingDefense.swift.

public import Backdoor
public import SelfSupervision
public import Support
import Training
import Vision

public struct DecouplingFilter: FeatureLearning {
  public static let id = "dbd-filter"
  public static let summary =
    "Rejects training samples whose labels do not fit features that were learned without labels."
  public static let paper = "Huang et al. 2022, Backdoor Defense via Decoupling the Training Process (ICLR)"
  public static let stage = DefenseStage.data
  public static let requires: Set<Resource> = [.poisonedTrain]

  public struct Configuration: DecoupledSettings {
    public var pretrain = SelfSupervisedTraining()
    public var tune = HeadTuning()
    public var credible = 0.5
    public var within = CredibleScope.all
    public var flip = true
    public var embeddings = 100_000
    public init() {}
    public static var settings: [Setting] { shared }
  }

  public let configuration: Configuration
  public init(_ configuration: Configuration = Configuration()) { self.configuration = configuration }

  public var features: SelfSupervisedTraining? { configuration.features }

  public func plannedWork(_ size: DefenseSize) -> [PlannedWork] {
    let (c, train) = (configuration, Double(size.train))
    return [
      PlannedWork("pretrain", images: Double(c.pretrain.epochs) * train, cost: 2),
      PlannedWork("\(Self.id)-tune", images: Double(c.tune.epochs) * train, cost: 0.25),
    ]
  }

  public func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let (c, context) = (configuration, input.training)
    let data = try input.poisonedTrain().to(context.device)
    try c.check(data)
    let model = try input.makeModel()
    try c.features.pretrain(model, on: data, context: context)
    let embedding = c.embedding("features after self-supervision", model, data, context)
    try c.tune.tune(model, on: data, flip: c.flip, context: context, stage: "\(Self.id)-tune")
    let split = c.split(data, by: model, context, number: 0)
    var outcome = c.outcome(split)
    outcome.scores = [c.scores("loss after stage 2", split)]
    outcome.embeddings = embedding
    return outcome
  }
}
