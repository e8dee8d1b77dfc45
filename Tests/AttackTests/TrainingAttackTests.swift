import Attacks
import Backdoor
import Files
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// What every attack promises that trains the model itself.
@Suite struct TrainingAttackTests {
  /// Settings under which each is learned within a moment.
  static let quick: [String: JSONValue] = [
    "wanet-training": ["rate": 0.3, "target": 2],
    "input-aware": [
      "rate": 0.3, "crossRate": 0.3, "target": 2, "maskEpochs": 2, "width": 2, "levels": 2, "patternMilestones": [1],
    ],
    "lira": [
      "rate": 0.3, "target": 2, "width": 2, "jointEpochs": 3, "epsilon": 0.05, "jointEpsilon": 0.1,
      "generatorLearningRate": 0.01,
    ],
    "blind": ["rate": 0.3, "target": 2, "row": 1, "column": 2],
    "adversarial-embedding": ["rate": 0.3, "target": 2, "widths": [5, 3], "discriminatorRate": 0.01],
  ]
  static let ids = quick.keys.sorted()

  private struct Stop: Error {}
  private let data = ImageDataset.tiny(count: 31, size: 8)
  private static let recipe = {
    var recipe = Recipe.constant(epochs: 3, batch: 10, learningRate: 0.01)
    (recipe.optimizer, recipe.momentum, recipe.crop, recipe.flip) = (.sgd, 0.9, 1, true)
    return recipe
  }()

  private func context(_ store: MemoryCheckpoints? = nil, data: ImageDataset? = nil) -> AttackContext {
    let training = TrainingContext(precision: .float32, seed: 5)
    training.checkpoints = store
    let data = data ?? self.data
    return AttackContext(
      train: data, seed: 5, training: training, architecture: data.tinyArchitecture, recipe: Self.recipe)
  }
  private func attack(_ id: String, _ overrides: JSONValue = [:]) throws -> any Attack {
    try AttackKind.named(id).make(SettingsTree.merge(Self.quick[id] ?? [:], overrides)).attack
  }

  @Test func everyOneIsTestedHere() {
    #expect(AttackKind.all.map(\.id).filter { (try? attack($0)) is any TrainingAttack }.sorted() == Self.ids)
  }

  /// The model is the one that was trained, and a trigger that was saved and loaded stamps the same bits.
  @Test(arguments: ids) func givesItsModelAndItsFinalTrigger(_ id: String) throws {
    let attack = try attack(id)
    let learned = try attack.learn(context())
    let outcome = try attack.execute(context(), learned: learned)
    let model = try #require(outcome.model)
    #expect(!model.isTraining && model.classNames == data.classNames)
    for (key, tensor) in model.stateDict().entries { expectSame(try #require(learned["model.\(key)"]), tensor, key) }
    #expect(outcome.summary.contains("attacker trained the model"))

    let restored = try withTemporaryFolder { folder in
      try Safetensors.save(learned.map { ($0.key, $0.value.contiguous()) }, to: "\(folder)/learned.safetensors")
      return try Safetensors.load("\(folder)/learned.safetensors").tensors
    }
    let tasks = try attack.tasks(
      for: data.shape, seed: 5, learned: Dictionary(uniqueKeysWithValues: restored.map { ($0.key, $0.tensor) }))
    let trigger = tasks[0].trigger
    expectSame(
      trigger.stamp(data.images, Generator(seed: 1)), outcome.tasks[0].trigger.stamp(data.images, Generator(seed: 1)))
    let chosen = Tensor(outcome.train.indices.map(Int64.init))
    let stamped = trigger.stamp(data.images[chosen], Generator(seed: Seed(5)("poison/stamp", 0)))
    expectSame(outcome.train.data.images[chosen], stamped, "the poisoned set has the final trigger")
    #expect(outcome.train.indices.count == 9, "the rate of 31 images")
    #expect(outcome.train.indices.allSatisfy { outcome.train.data.labelArray()[$0] == 2 })
    #expect((stamped .!= data.images[chosen]).any().intItem() == 1, "the trigger changes something")
  }

  @Test(arguments: ids) func aKilledOneGoesOnToTheSameBits(_ id: String) throws {
    let attack = try attack(id)
    var stages: [String] = []
    let undisturbed = context()
    undisturbed.training.onEpoch = { if stages.last != $0.stage { stages.append($0.stage) } }
    let expected = try attack.learn(undisturbed)
    #expect(stages.allSatisfy { $0.hasPrefix("attack-") } && stages.last == "attack-train")
    for stage in stages {
      let store = MemoryCheckpoints()
      let killed = context(store)
      killed.training.onEpoch = { if $0.stage == stage, $0.epoch == 2 { throw Stop() } }
      #expect(throws: Stop.self) { try attack.learn(killed) }
      let learned = try attack.learn(context(store))
      #expect(learned.keys.sorted() == expected.keys.sorted())
      for key in expected.keys { expectSame(learned[key]!, expected[key]!, "\(key) after \(stage) was killed") }
    }
  }

  @Test(arguments: ids) func refusesBeforeItTrains(_ id: String) throws {
    let impossible: [JSONValue] = [
      ["mapping": "clean-label"], ["mapping": "source-to-target"], ["rate": 0], ["rate": 0.001], ["target": 4],
      ["mapping": "all-to-all", "shift": 4],
    ]
    let own: [String: [JSONValue]] = [
      "wanet-training": [["rate": 0.09], ["rate": 0.1, "crossRatio": 0.9]],
      "input-aware": [["rate": 0.09], ["crossRate": 0.09], ["levels": 4]],
      "lira": [["share": 0.09], ["share": 0.19], ["network": "autoencoder"]],
      "blind": [["share": 0.09], ["share": 0.19], ["column": 6], ["row": 4]],
      "adversarial-embedding": [["rate": 0.09], ["size": 9], ["margin": 6]],
    ]
    for overrides in impossible + (own[id] ?? []) {
      let context = context()
      context.training.onStart = { _, _ in Issue.record("\(overrides.compactJSON) trains") }
      #expect(throws: BackdoorError.self, "\(overrides.compactJSON)") { try attack(id, overrides).learn(context) }
    }
    #expect(throws: BackdoorError.self) { try attack(id).execute(context(), learned: ["odd": Tensor.zeros([1])]) }
  }

  /// Gray images, and sides that are no powers of two.
  @Test(arguments: ids) func otherImages(_ id: String) throws {
    let gray = ImageDataset.tiny(count: 20, channels: 1, size: 11)
    let outcome = try attack(id).execute(context(data: gray))
    #expect(outcome.train.data.shape == gray.shape && outcome.model != nil)
  }

  @Test func sharesOfABatch() {
    let shares = BatchShares(of: 10, poisoned: 0.39, covers: { $0 * 2 })
    #expect(shares.poisoned == 0..<3 && shares.covers == 3..<9 && shares.clean == 9..<10)
    let cut = BatchShares(of: 10, poisoned: 0.5, covers: { $0 * 2 })
    #expect(cut.poisoned == 0..<5 && cut.covers == 5..<10 && cut.clean == 10..<10)
    #expect(BatchShares(of: 100, poisoned: 0.29, covers: { _ in 0 }).poisoned == 0..<29, "0.29 * 100 < 29")
    #expect(BatchShares.whole(0.29, of: 100) == 29 && BatchShares.whole(2.3, of: 10) == 23)
    #expect([1, 2, 3, 30].map { BatchShares.count(0.1, of: $0, least: 2) } == [1, 2, 2, 3])
  }

  /// Within the bound to the last bit of uint8, and somewhere at it; clipped to the range of pixels.
  @Test(arguments: ["unet", "autoencoder"]) func perturbationsStayInside(_ network: String) throws {
    let data = ImageDataset.tiny(count: 31, size: 16)
    let attack = try attack("lira", ["network": .string(network), "epsilon": 0.05])
    let outcome = try attack.execute(context(data: data))
    let images = data.images.unitPixels()
    let change = outcome.tasks[0].trigger(images, Generator(seed: 1)) - images
    #expect(change.abs().max().item() <= 0.05 + 1e-6 && change.abs().max().item() > 0.002)
    let bytes = outcome.tasks[0].trigger.stamp(data.images, Generator(seed: 1)).to(.int64) - data.images.to(.int64)
    #expect(bytes.abs().max().intItem() <= 13, ".05 of 255 is 12.75")
  }

  @Test func masksAndPatternsStayInside() throws {
    // Networks of width 2 may end with every ReLU closed, and the same mask for all images.
    let outcome = try attack("input-aware", ["width": 4]).execute(context())
    let images = data.images.unitPixels()
    let stamped = outcome.tasks[0].trigger(images, Generator(seed: 1))
    #expect(stamped.min().item() >= 0 && stamped.max().item() <= 1)
    let halves = Tensor.concatenated([
      outcome.tasks[0].trigger(images[0..<11], Generator(seed: 1)),
      outcome.tasks[0].trigger(images[11..<31], Generator(seed: 1)),
    ])
    expectClose(halves, stamped, tolerance: 1e-6, "an image's trigger is its own alone")
    let cover = try #require(outcome.tasks[0].cover)
    let crossed = cover(images, Generator(seed: 1))
    let differing = ((crossed - stamped).abs().flattened(1).max(1).0 .> 0).to(.int64).sum().intItem()
    #expect(differing >= 29, "of another image, for each whose mask is not empty: \(differing) of 31")
  }

  /// A trigger is the same inside of a computation in bfloat16, to the bit.
  @Test(arguments: ["lira", "input-aware"]) func triggersAreInFloat32(_ id: String) throws {
    let trigger = try attack(id).execute(context()).tasks[0].trigger
    let images = data.images.unitPixels()
    let low = TrainingContext(precision: .bfloat16, seed: 5)
    #expect(low.autocastType == .bfloat16)
    expectSame(low.compute { trigger(images, Generator(seed: 1)) }, trigger(images, Generator(seed: 1)))
  }
}
