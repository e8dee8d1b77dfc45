import Backdoor
@testable import Defenses
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@Suite struct ComponentSearchTests {
  private let data = ImageDataset.tiny(count: 100)

  private func input(_ context: TrainingContext) throws -> DefenseInput {
    try DefenseInput(
      for: InverseSelfPacedLearning.self, training: context, seed: 1,
      architecture: data.tinyArchitecture,
      poisonedTrain: data)
  }
  private func search(_ context: TrainingContext, _ edit: (inout ExpansionSettings) -> Void = { _ in }) throws
    -> SearchState
  {
    let settings = ExpansionSettings.tiny(edit)
    let pass = TrainingPass(data: data, recipe: settings.learner, context: context)
    return try ComponentSearch(settings: settings, input: input(context), pass: pass).run()
  }

  /// Components are disjoint, at least as large as asked for, hold every class, and with enough rounds cover the set.
  @Test(arguments: [3, 4, 9]) func components(_ rounds: Int) throws {
    let state = try search(TrainingContext(precision: .float32)) {
      $0.rounds = rounds
      $0.bags = 2
      $0.share = 0.25
      $0.stopAt = 0
    }
    let bags = CompatibilityFilter.components(state)
    #expect(bags.count == 2 && bags[0] != bags[1])
    for parts in bags {
      let all = parts.flatMap { $0 }
      #expect(Set(all).count == all.count && parts.count <= rounds)
      #expect(parts.dropLast().allSatisfy { $0.count >= 25 } && !parts.contains { $0.isEmpty })
      if rounds > 3 { #expect(all.sorted() == Array(0..<100)) } else { #expect((75..<100).contains(all.count)) }
      #expect(Set(parts[0].map { data.labelArray()[$0] }) == [0, 1, 2, 3])
    }
  }

  @Test func stopsWhenFewAreLeft() throws {
    let state = try search(TrainingContext(precision: .float32)) {
      $0.share = 0.4
      $0.rounds = 8
      $0.stopAt = 30
    }
    #expect(
      CompatibilityFilter.components(state).map(\.count) == [2, 2], "the second round leaves less than 30 of 100")
  }

  /// What an iteration reports and learns from: a quarter of the subset, which begins as the active samples.
  @Test func reports() throws {
    let context = TrainingContext(precision: .float32)
    var reports: [EpochReport] = []
    context.onEpoch = { reports.append($0) }
    _ = try search(context) { $0.bags = 1 }
    let first = try #require(reports.first)
    #expect(first.stage == "ispl-search" && !first.isMeasured && Set(first.selected ?? []).count == 25)
    func value(_ name: String, _ report: EpochReport) -> Double? { report.values.first { $0.key == name }?.value }
    #expect(value("activeSamples", first) == 100)
    // p .3: 90 of 100, then 60, then 30, and 3.75% of each class, which are among them or a few more.
    let sizes = reports.prefix(5).compactMap { value("subsetSamples", $0) }
    #expect(zip(sizes, [90.0, 60, 30, 30, 30]).allSatisfy { $0 >= $1 && $0 <= $1 + 4 }, "\(sizes)")
    #expect(reports[1].selected?.count == Int((sizes[0] / 4).rounded()))
    for report in reports {
      let compatible = try #require(value("compatibleShare", report))
      let error = try #require(value("expansionError", report))
      #expect((0...1).contains(compatible) && (0...1).contains(error))
    }
    #expect(
      abs((value("compatibleShare", first) ?? 0) + (value("expansionError", first) ?? 0) - 1) < 1e-6,
      "the first subset is all")
  }

  /// A pass over all samples is an epoch of the trainer, bit for bit.
  @Test func passIsTraining() throws {
    let context = TrainingContext(precision: .float32, seed: 3)
    var recipe = ExpansionSettings.tiny().learner
    recipe.epochs = 1
    let trained = try Classifier.tiny(for: data)
    try Trainer(recipe).train(trained, on: data, context: context)
    let model = try Classifier.tiny(for: data)
    model.to(.channelsLast)
    let optimizer = recipe.makeOptimizer(model.parameters())
    let pass = TrainingPass(data: data, recipe: recipe, context: context)
    try EpochLoop(stage: "other", epochs: 1, imagesPerEpoch: 100, context: context).run(
      model: model, optimizer: optimizer
    ) {
      epoch, meter in
      try pass.run(model, optimizer, on: Tensor.arange(100), stream: "train", epoch: epoch, meter: meter) {
        recipe.crossEntropy(model, $0, context: context)
      }
    }
    expectSame(model.snapshot(), trained.snapshot())
  }

  /// Losses are those of evaluation mode, of the samples asked for, and the model's mode stays.
  @Test func judges() throws {
    let model = try Classifier.tiny(for: data).train()
    let pass = TrainingPass(data: data, recipe: Recipe(), context: TrainingContext(precision: .float32))
    let chosen = Tensor([7, 3, 50] as [Int64])
    let (losses, predicted) = pass.judge(model, chosen)
    #expect(model.isTraining)
    let logits = noGrad { model.eval()(data.pixels(at: chosen)) }
    expectClose(losses, F.crossEntropy(logits, data.labels[chosen], reduction: .none))
    expectSame(predicted, logits.argmax(1))
    // The recipe's crops and flips, drawn once for each image.
    let shifted = pass.judge(model, chosen, augmenting: Generator(seed: 3)).losses
    let images = CropFlip(padding: 4, flip: true).gather(images: data.images, indices: chosen, Generator(seed: 3))
    expectClose(shifted, noGrad { F.crossEntropy(model.eval()(images), data.labels[chosen], reduction: .none) })
    #expect(shifted.array(Float.self) != losses.array(Float.self))
  }

  /// A learner knows its own component and nothing of the learner before it; its votes are int64 classes of every
  /// sample.
  @Test func learnersAreIndependent() throws {
    let context = TrainingContext(precision: .float32)
    var recipe = ExpansionSettings.tiny().learner
    recipe.epochs = 10
    recipe.batch = 5
    recipe.learningRate = 0.05
    let learners = WeakLearners(
      input: try input(context), pass: TrainingPass(data: data, recipe: recipe, context: context))
    // What the second says of classes 0 and 1, which it never sees, would tell where it started.
    func members(_ classes: ClosedRange<Int>) -> [Int] { (0..<100).filter { classes.contains($0 % 4) } }
    let one = try learners.run([members(0...0), members(2...3)])
    let other = try learners.run([members(1...1), members(2...3)])
    #expect(one.shape == [2, 100] && one.dtype == .int64)
    expectSame(one[1], other[1], "the second learner")
    #expect((one[0] .!= other[0]).any().intItem() == 1, "the first learner")
    #expect(Set(one[1].array(Int64.self)).count > 1, "it learned something")
  }

  private struct Killed: Error {}

  /// Five learners, one by one, in pairs and all together: the same votes, also when the run is killed on the way.
  @Test(arguments: [2, 5, 9]) func learnersTogether(_ lanes: Int) throws {
    var recipe = ExpansionSettings.tiny().learner
    (recipe.epochs, recipe.batch) = (3, 5)
    let components = (0..<5).map { part in Array((part * 20)..<(part * 20 + 10 + part)) }
    let threads = Runtime.threadCount
    Runtime.threadCount = 1
    defer { Runtime.threadCount = threads }
    func votes(_ lanes: Int, _ context: TrainingContext) throws -> Tensor {
      let pass = TrainingPass(data: data, recipe: recipe, context: context)
      return try WeakLearners(input: try input(context), pass: pass, together: lanes).run(components)
    }
    let expected = try votes(1, TrainingContext(precision: .float32))
    // From here on they run side by side, each with one thread.
    Runtime.threadCount = min(lanes, components.count)
    expectSame(try votes(lanes, TrainingContext(precision: .float32)), expected)

    let store = MemoryCheckpoints()
    let killed = TrainingContext(precision: .float32, checkpoints: store)
    killed.onEpoch = { report in if report.epoch == 2 { throw Killed() } }
    #expect(throws: Killed.self) { try votes(lanes, killed) }
    expectSame(try votes(lanes, TrainingContext(precision: .float32, checkpoints: store)), expected, "after a kill")
  }

  /// What dropout drops goes by learner: four learners one by one and three at a time vote alike.
  @Test(arguments: ["linear", "vgg19"]) func dropoutGoesByLearner(_ kind: String) throws {
    let data = ImageDataset.tiny(count: 80)
    var recipe = ExpansionSettings.tiny().learner
    (recipe.epochs, recipe.batch, recipe.learningRate) = (kind == "linear" ? 2 : 6, 5, kind == "linear" ? 0.002 : 0.05)
    let components = (0..<4).map { part in Array((part * 20)..<(part * 20 + 20 - part)) }
    func votes(_ together: Int, dropout: Double = 0.5) throws -> Tensor {
      let context = TrainingContext(precision: .float32)
      let input = try DefenseInput(
        for: InverseSelfPacedLearning.self, training: context, seed: 1,
        architecture: {
          kind == "linear"
            ? DropoutNetwork(dropout: dropout, $0)
            : VGG19(classes: 4, width: 4, hidden: 64, batchNorm: true, dropout: dropout, $0)
        }, poisonedTrain: data)
      let pass = TrainingPass(data: data, recipe: recipe, context: context)
      return try WeakLearners(input: input, pass: pass, together: together).run(components)
    }
    let one = try votes(1)
    expectSame(try votes(3), one, "three at a time")
    #expect((try votes(1, dropout: 0) .!= one).any().intItem() == 1, "dropout changes the votes")
  }

  /// A restart leaves neither weights nor momentum behind.
  @Test func restarts() throws {
    let recipe = ExpansionSettings.tiny().learner
    func step(_ model: Classifier, _ optimizer: Optimizer) {
      optimizer.step(minimizing: F.crossEntropy(model.train()(data.pixels(0..<20)), data.labels[0..<20]))
    }
    let used = try Classifier.tiny(for: data)
    let optimizer = recipe.makeOptimizer(used.parameters())
    step(used, optimizer)
    step(used, optimizer)
    try used.restart(as: .tiny(for: data, seed: 9), optimizer)
    let fresh = try Classifier.tiny(for: data, seed: 9)
    expectSame(used.snapshot(), fresh.snapshot())
    step(used, optimizer)
    step(fresh, recipe.makeOptimizer(fresh.parameters()))
    expectSame(used.snapshot(), fresh.snapshot())
  }
}

extension ExpansionSettings {
  /// Two bags of three rounds on a hundred small images.
  static func tiny(_ edit: (inout ExpansionSettings) -> Void = { _ in }) -> ExpansionSettings {
    var settings = ExpansionSettings()
    settings.rounds = 3
    settings.bags = 2
    settings.share = 0.3
    settings.stopAt = 4
    settings.together = 2
    settings.learner.epochs = 2
    settings.learner.batch = 10
    settings.learner.crop = 0
    settings.learner.flip = false
    edit(&settings)
    return settings
  }
}
