import Backdoor
import Foundation
import Torch
import TorchNN
import Training
import Vision

/// Trains from scratch on adversarial images alone (equation 1 of Gao et al. 2022): per batch, the inner maximisation
/// with the model in evaluation mode, then one step on what it found in training mode.
struct AdversarialTrainer {
  let threat: any ThreatModel
  /// The threat in words.
  let title: String
  let recipe: Recipe
  let stage: String

  func run(_ input: DefenseInput) throws -> DefenseOutcome {
    let context = input.training
    let data = try input.poisonedTrain().to(context.device)
    let model = try input.makeModel()
    guard model.classes > 1 else {
      throw DefenseError.invalid(
        "defense \(stage): the model has one class, so nothing can mislead it. Choose data with two or more.")
    }
    try Trainer(recipe, stage: stage).train(model, on: data, context: context, against: threat)
    let few = data.prefix(8)
    let images = few.pixels(0..<few.count)
    let changed = threat.perturb(
      images, labels: few.labels, model: model, context: context, generator: context.generator("\(stage)/exhibit"))
    let exhibit = Exhibit(
      title: "What the final model was trained against: \(title)", images: few.images,
      perturbations: (changed - images).contiguous(),
      labels: few.labelArray())
    return DefenseOutcome(model: model, exhibits: [exhibit])
  }
}
