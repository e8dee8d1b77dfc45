import Backdoor
import Defenses
import Files
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct AdversarialTrainingTests {
  private let data = ImageDataset.tiny(count: 24)

  private static var quick: Recipe {
    var recipe = Recipe()
    recipe.epochs = 3
    recipe.batch = 8
    return recipe
  }

  private func input<D: Defense>(_ type: D.Type, _ data: ImageDataset, seed: Seed, store: (any CheckpointStore)? = nil)
    throws
    -> DefenseInput
  {
    let context = TrainingContext(precision: .float32, seed: seed, checkpoints: store)
    let spec = ModelSpec(
      kind: "cnn", shape: ModelShape(classes: data.classes, width: 4, channels: data.channels, imageSize: data.height))
    return try DefenseInput(
      for: type, training: context, seed: seed, architecture: { try spec.make($0) }, poisonedTrain: data)
  }

  private func at(
    _ data: ImageDataset? = nil, store: (any CheckpointStore)? = nil, seed: Seed = 2,
    _ edit: (inout AdversarialTraining.Configuration) -> Void = { _ in }
  ) throws -> DefenseOutcome {
    var configuration = AdversarialTraining.Configuration()
    configuration.recipe = Self.quick
    configuration.linf.steps = 2
    configuration.l2.steps = 2
    configuration.l1.steps = 2
    configuration.spatial.steps = 2
    configuration.perceptual.steps = 2
    edit(&configuration)
    return try AdversarialTraining(configuration).run(
      input(AdversarialTraining.self, data ?? self.data, seed: seed, store: store))
  }

  private func cat(
    store: (any CheckpointStore)? = nil, seed: Seed = 2,
    _ edit: (inout CompositeAdversarialTraining.Configuration) -> Void = { _ in }
  ) throws -> DefenseOutcome {
    var configuration = CompositeAdversarialTraining.Configuration()
    configuration.recipe = Self.quick
    configuration.linf.steps = 1
    configuration.spatial.steps = 2
    edit(&configuration)
    return try CompositeAdversarialTraining(configuration).run(
      input(CompositeAdversarialTraining.self, data, seed: seed, store: store))
  }

  /// The paper's numbers.
  @Test func defaults() {
    let at = AdversarialTraining.Configuration()
    #expect(
      at.threat == .linf && at.linf.radius == 8.0 / 255 && at.linf.steps == 10 && at.linf.step == 0.25
        && at.linf.start == .random)
    #expect(
      at.spatial.bound == 0.025 && at.spatial.steps == 20 && at.spatial.learningRate == 0.01
        && at.spatial.smoothness == 0.0025)
    let cat = CompositeAdversarialTraining.Configuration()
    #expect(cat.linf.radius == 2.0 / 255 && cat.spatial.bound == 0.025)
    #expect(cat.composite.first == .spatial && cat.composite.second == .linf && cat.composite.order == .firstThenSecond)
    #expect(!cat.composite.joint)
    for recipe in [at.recipe, cat.recipe] {
      #expect(recipe.optimizer == .sgd && recipe.learningRate == 0.1 && recipe.momentum == 0.9 && !recipe.nesterov)
      #expect(recipe.weightDecay == 5e-4 && recipe.batch == 128 && recipe.crop == 4 && recipe.flip)
      #expect(
        recipe.epochs == 100 && recipe.schedule == .multiStep && recipe.milestones == [60, 90] && recipe.gamma == 0.1)
    }
  }

  /// Each threat gives another model, and an exhibit of what it does.
  @Test func threatsDiffer() throws {
    var seen: [(String, Tensor)] = []
    for threat in AdversarialTraining.Threat.allCases {
      let outcome = try at { $0.threat = threat }
      let model = try #require(outcome.model)
      #expect(!model.isTraining && model.parameters().allSatisfy { $0.requiresGrad && $0.grad == nil })
      let weights = Tensor.concatenated(model.parameters().map { $0.detach().flattened() })
      #expect(weights.isFinite().all().intItem() == 1)
      for (other, theirs) in seen { #expect((weights - theirs).abs().max().item() > 1e-5, "\(threat) and \(other)") }
      seen.append((threat.rawValue, weights))
      let exhibit = try #require(outcome.exhibits.first)
      #expect(exhibit.images.shape == [8, 3, 16, 16] && exhibit.labels.count == 8)
      expectSame(exhibit.images, data.images[0..<8])
      let changed = exhibit.images.unitPixels() + exhibit.perturbations
      #expect(changed.min().item() >= -1e-6 && changed.max().item() <= 1 + 1e-6)
      if threat == .linf { #expect(exhibit.perturbations.abs().max().item() <= 8.0 / 255 + 1e-6) }
      #expect(exhibit.perturbations.abs().max().item() > 0.01, "\(threat)")
    }
  }

  /// The settings of a group reach the threat: a ball of radius 0, a flow of no length and no noise are all standard
  /// training.
  @Test func noBudgetIsStandardTraining() throws {
    let spec = ModelSpec(kind: "cnn", shape: ModelShape(classes: 4, width: 4, channels: 3, imageSize: 16))
    for threat in AdversarialTraining.Threat.allCases where threat != .perceptual {
      let outcome = try at {
        $0.threat = threat
        $0.linf.radius = 0
        $0.l2.radius = 0
        $0.l1.radius = 0
        $0.spatial.bound = 0
        $0.gaussianNoise.sigma = 0
        $0.randomSpatial.sigma = 0
      }
      let plain = try spec.make(Generator(seed: Seed(2)("init")))
      plain.to(.channelsLast)
      try Trainer(Self.quick, stage: "at").train(
        plain, on: data, context: TrainingContext(precision: .float32, seed: 2))
      for (found, expected) in zip(try #require(outcome.model).snapshot(), plain.snapshot()) {
        expectClose(
          found.tensor.to(.float32), expected.tensor.to(.float32), tolerance: 0.02, floor: 0.05,
          "\(threat) \(found.key)")
      }
    }
  }

  @Test func compositions() throws {
    func weights(_ edit: (inout CompositeAdversarialTraining.Configuration) -> Void) throws -> (Tensor, String) {
      let outcome = try cat(edit)
      let model = try #require(outcome.model)
      return (Tensor.concatenated(model.parameters().map { $0.detach().flattened() }), outcome.exhibits[0].title)
    }
    let all = try [
      weights { _ in }, weights { $0.composite.order = .secondThenFirst }, weights { $0.composite.joint = true },
      weights { $0.composite.second = .l2 },
      weights {
        $0.composite.first = .perceptual; $0.perceptual.steps = 2
      },
      weights { $0.composite.second = .gaussianNoise },
    ]
    for one in all.indices {
      for other in all.indices where other < one {
        #expect((all[one].0 - all[other].0).abs().max().item() > 1e-5, "\(one) \(other)")
      }
    }
    #expect(Set(all.map(\.1)).count == all.count && all[1].1.hasSuffix("L_inf, then spatial"))
    // The same threat by either name; the streams of a run are named after the defense.
    let at = try at {
      $0.threat = .composite
      $0.linf = LinfThreat(radius: 2.0 / 255)
      $0.linf.steps = 1
    }
    #expect(at.exhibits[0].title == all[0].1)
    let (found, other) = (at.exhibits[0].perturbations, try cat().exhibits[0].perturbations)
    #expect(found.abs().max().item() > 0.01 && other.abs().max().item() > 0.01)
  }

  /// What the model learns from is what the threat made of the augmented batch, with the labels as they are.
  @Test func learnsFromChangedImages() throws {
    /// Replaces each batch by one random number, and notes it.
    struct Flood: ThreatModel {
      let noted: @Sendable (Double) -> Void
      func search(_ images: Tensor, _ attacked: AttackedModel, _ generator: Generator) -> Tensor {
        let level = generator.uniform([])
        noted(level.item())
        return images * 0 + level
      }
    }
    final class Notes: @unchecked Sendable { var levels: [Double] = [] }
    /// Sees the batches that the network learns from.
    final class Watched: Classifier {
      @Parameter var weight = Tensor.ones([1, 4])
      var seen: [Double] = []
      init() { super.init(classes: 4, normalization: .none) }
      override func features(normalized x: Tensor) -> Features {
        #expect(isTraining)
        seen.append(x.mean().item())
        return Features(stages: [x], penultimate: x.mean([1, 2, 3]).unsqueezed(1))
      }
      override func logits(_ penultimate: Tensor) -> Tensor { penultimate * weight }
    }
    let (context, model, notes) = (TrainingContext(precision: .float32, seed: 4), Watched(), Notes())
    var recipe = Self.quick
    recipe.epochs = 1
    try Trainer(recipe).train(model, on: data, context: context, against: Flood { notes.levels.append($0) })
    let stream = context.generator("train/change", 0)
    #expect(notes.levels == (0..<3).map { _ in stream.uniform([]).item() })
    #expect(model.seen.count == 3)
    for (seen, level) in zip(model.seen, notes.levels) { expectClose(seen, level, tolerance: 1e-4) }
  }

  @Test(arguments: [2, 5, 9]) func resumesWithTheSameBits(_ checks: Int) throws {
    let whole = try cat()
    let store = MemoryCheckpoints()
    #expect(throws: Interrupted.self) { try Interruption.simulated(afterChecks: checks) { try cat(store: store) } }
    let resumed = try cat(store: store)
    expectSame(try #require(resumed.model).snapshot(), try #require(whole.model).snapshot())
    expectSame(resumed.exhibits[0].perturbations, whole.exhibits[0].perturbations)
  }

  @Test func badSettings() throws {
    func message(_ edit: (inout CompositeAdversarialTraining.Configuration) -> Void) -> String {
      let error = #expect(throws: DefenseError.self) { try cat(edit) }
      return error?.description ?? ""
    }
    #expect(
      message { $0.composite.second = .spatial }.hasPrefix(
        "defense.composite.second spatial: that is the first threat again."))
    let drawn = message {
      $0.composite.joint = true
      $0.composite.second = .randomSpatial
    }
    #expect(drawn.hasPrefix("defense.composite.joint true: random-spatial is drawn, not searched."))
    let one = ImageDataset.tiny(count: 8, classes: 1)
    #expect(throws: DefenseError.self) { try at(one) }
    for (id, key, value) in [
      ("at", "threat", JSONValue.string("l3")), ("at", "linf", ["radius": -1]),
      ("cat", "composite", ["first": "composite"]),
      ("cat", "recipe", ["epoch": 1]), ("cat", "spatial", ["steps": 1.5]), ("cat", "perceptual", ["steps": 0]),
    ] {
      #expect(throws: SettingsError.self, "\(id) \(key)") { try DefenseKind.named(id).make([key: value]) }
    }
    #expect(throws: DefenseError.self) {
      let context = TrainingContext(precision: .float32)
      let input = try DefenseInput(for: AdversarialTraining.self, training: context, seed: 1, poisonedTrain: data)
      return try AdversarialTraining().run(input)
    }
  }

  /// The idea: trained against a threat, a model stands it better than one that was not.
  @Test(arguments: [AdversarialTraining.Threat.linf, .spatial]) func robust(_ threat: AdversarialTraining.Threat) throws
  {
    let data = ImageDataset.tiny(count: 64)
    func train(_ budget: Double) throws -> Classifier {
      let outcome = try at(data) {
        $0.threat = threat
        $0.recipe.epochs = 10
        $0.recipe.learningRate = 0.05
        $0.recipe.crop = 0
        $0.recipe.flip = false
        $0.linf.radius = budget * 0.15
        $0.linf.steps = 4
        $0.spatial.bound = budget * 0.3
        $0.spatial.learningRate = 0.15
        $0.spatial.steps = 4
      }
      return try #require(outcome.model)
    }
    let images = data.pixels(0..<data.count)
    var (linf, spatial) = (LinfThreat(radius: 0.15), SpatialThreat())
    linf.steps = 8
    (spatial.bound, spatial.steps, spatial.learningRate) = (0.3, 8, 0.1)
    let attack: any ThreatModel = threat == .linf ? linf : spatial
    func loss(_ model: Classifier) -> Double {
      let context = TrainingContext(precision: .float32)
      let changed = attack.perturb(
        images, labels: data.labels, model: model, context: context, generator: Generator(seed: 9))
      return noGrad { F.crossEntropy(model(changed), data.labels).item() }
    }
    let (plain, robust) = (try loss(train(0)), try loss(train(1)))
    #expect(robust < plain * 0.8, "\(robust) after training against it, \(plain) without")
  }
}
