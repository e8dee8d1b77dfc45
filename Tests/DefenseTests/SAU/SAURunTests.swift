import Backdoor
import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// The whole defense: what a run holds fixed, and that it goes on where it was interrupted.
@Suite struct SAURunTests {
  private let data = ImageDataset.tiny(count: 40)

  private func run(
    _ model: Classifier, _ edit: (inout SharedAdversarialUnlearning.Configuration) -> Void = { _ in },
    store: (any CheckpointStore)? = nil,
    seed: Seed = 2
  ) throws -> DefenseOutcome {
    var configuration = SharedAdversarialUnlearning.Configuration()
    configuration.epochs = 3
    configuration.batch = 16
    configuration.steps = 2
    edit(&configuration)
    let defense = SharedAdversarialUnlearning(configuration)
    let context = TrainingContext(precision: .float32, seed: seed, checkpoints: store)
    return try defense.run(
      try DefenseInput(
        for: SharedAdversarialUnlearning.self, training: context, seed: seed, model: model, cleanSplit: data))
  }

  /// Both networks are in evaluation mode: batch statistics stay, affine parameters train.
  @Test func statisticsStay() throws {
    let model = try Classifier.tiny(for: data).train()
    let result = try #require(run(model).model)
    for (before, after) in zip(model.namedBuffers(), result.namedBuffers()) {
      expectSame(after.tensor, before.tensor, after.key)
    }
    for (before, after) in zip(model.namedParameters(), result.namedParameters()) {
      #expect((before.tensor .!= after.tensor).any().intItem() == 1, "\(after.key) trains")
    }
  }

  @Test(arguments: [5, 12, 40]) func resumesWithTheSameBits(_ checks: Int) throws {
    let model = try Classifier.tiny(for: data)
    let whole = try #require(run(model) { $0.start = .random }.model)
    let store = MemoryCheckpoints()
    var interrupted = false
    do {
      _ = try Interruption.simulated(afterChecks: checks) { try run(model, { $0.start = .random }, store: store) }
    } catch is Interrupted { interrupted = true }
    #expect(interrupted == (checks < 12), "three epochs of three batches look twelve times")
    let resumed = try #require(run(model, { $0.start = .random }, store: store).model)
    expectSame(resumed.snapshot(), whole.snapshot())
  }

  @Test func noEpochsChangeNothing() throws {
    let model = try Classifier.tiny(for: data)
    expectSame(try #require(run(model) { $0.epochs = 0 }.model).snapshot(), model.snapshot())
  }

  @Test func targetMustExist() throws {
    let model = try Classifier.tiny(for: data)
    let error = #expect(throws: DefenseError.self) { try run(model) { $0.target = 4 } }
    #expect(error?.description == "defense.target 4: the model has classes 0 to 3.")
  }

  /// The idea: after the defense fewer perturbations mislead both networks to one class.
  @Test func sharedExamplesBecomeRare() throws {
    let model = try Classifier.tiny(for: data, width: 8)
    var recipe = Recipe()
    recipe.epochs = 8
    recipe.batch = 8
    recipe.learningRate = 0.05
    recipe.crop = 0
    recipe.flip = false
    let context = TrainingContext(precision: .float32)
    try Trainer(recipe).train(model, on: data, context: context)
    func accuracy(_ model: Classifier) -> Double {
      noGrad { (model.logits(of: data, context: context).argmax(1) .== data.labels).to(.float32).mean().item() }
    }
    func sharedRisk(_ student: Classifier) -> Double {
      let images = data.pixels(0..<data.count).contiguous(.channelsLast)
      let clean = noGrad { (student: student(images).argmax(1), reference: model(images).argmax(1)) }
      let adversary = SharedAdversarialUnlearning.Configuration()
      let delta = adversary.perturb(
        images, labels: data.labels, student: student, reference: model, clean: clean, context: context,
        generator: Generator(seed: 0))
      return noGrad {
        let (own, other) = (student(images + delta).argmax(1), model(images + delta).argmax(1))
        return ((own .== other) .& (own .!= data.labels)).to(.float32).mean().item()
      }
    }
    let purified = try #require(
      run(model) {
        $0.epochs = 12
        $0.learningRate = 3e-3
        $0.steps = 5
      }.model)
    let (before, after) = (sharedRisk(model), sharedRisk(purified))
    #expect(accuracy(model) > 0.9 && accuracy(purified) > 0.9)
    #expect(before > 0.3 && after < before / 2, "shared risk \(before) before, \(after) after")
  }
}
