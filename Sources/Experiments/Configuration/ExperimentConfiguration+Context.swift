public import Support
import Torch
import TorchNN
public import Training
import Vision

extension ExperimentConfiguration {
  /// Where and how this configuration computes; says so to the user.
  /// - Parameter earlier: what an earlier process of the same job computed with; nil for a new job.
  /// - Throws: `TorchError` for a device that is missing.
  public func makeContext(
    progress: any ProgressReporter, goingOnFrom earlier: ComputePlan.Earlier? = nil
  ) throws -> TrainingContext {
    let plan = try ComputePlan(general, goingOnFrom: earlier)
    progress.message(plan.description)
    return plan.context(seed: seed, progress: progress)
  }

  /// The source of everything random.
  public var seed: Seed { Seed(UInt64(general.seed)) }

  /// A new model of the configured architecture for the images and classes of a data set.
  func makeModel(for data: ImageDataset, _ generator: Generator) throws -> Classifier {
    let model = try model.spec(for: data).make(generator)
    model.classNames = data.classNames
    return model
  }

  /// Trains a new model in the standard way, with the configured recipe.
  func train(on data: ImageDataset, stage: String, context: TrainingContext) throws -> Classifier {
    let model = try makeModel(for: data, Generator(seed: context.seed("init")))
    try Trainer(recipe, stage: stage).train(model, on: data, context: context)
    return model
  }
}

extension Classifier {
  /// Makes a model from a file ready to be measured or purified: on the context's device, in the memory layout that
  /// trained models have.
  @discardableResult
  func prepared(for context: TrainingContext) -> Self { to(context.device).to(.channelsLast).eval() }
}
