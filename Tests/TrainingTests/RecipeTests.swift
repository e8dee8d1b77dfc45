import Foundation
import Support
import TestSupport
import Testing
import Torch
import TorchNN
import Training

@Suite struct RecipeTests {
  @Test func isDocumented() throws {
    #expect(SettingsTree.checkSettings(Recipe.self) == [])
    for preset in Recipe.presets {
      #expect(!preset.summary.isEmpty)
      let tree = try SettingsTree.encode(preset.recipe)
      #expect(try SettingsTree.resolve(Recipe.self, overrides: tree) == preset.recipe)
    }
    #expect(
      Recipe.presets.map(\.name) == [
        "fast", "benchmark", "adversarial", "decoupled", "decoupled-imagenet", "self-expansion", "noisy-label",
      ])
  }

  /// The papers' values: optimizer, rate, weight decay, epochs, batch, schedule, milestones, augmentation.
  @Test(
    arguments: [
      ("benchmark", Recipe.Algorithm.sgd, 0.01, 5e-4, 100, Recipe.ScheduleShape.cosine, [], true),
      ("adversarial", .sgd, 0.1, 5e-4, 100, .multiStep, [60, 90], true),
      ("decoupled", .sgd, 0.1, 5e-4, 200, .multiStep, [100, 150], true),
      ("self-expansion", .sgd, 0.02, 5e-4, 100, .multiStep, [75, 90], true),
      ("noisy-label", .adamw, 3e-4, 0.01, 100, .constant, [], false),
    ] as [(String, Recipe.Algorithm, Double, Double, Int, Recipe.ScheduleShape, [Int], Bool)])
  func paperValues(
    _ name: String, _ optimizer: Recipe.Algorithm, _ rate: Double, _ decay: Double, _ epochs: Int,
    _ schedule: Recipe.ScheduleShape,
    _ milestones: [Int], _ augmented: Bool
  ) throws {
    let recipe = try #require(Recipe.presets.first { $0.name == name }?.recipe)
    #expect(recipe.optimizer == optimizer && recipe.learningRate == rate && recipe.weightDecay == decay)
    #expect(recipe.epochs == epochs && recipe.batch == 128)
    #expect(recipe.schedule == schedule && recipe.milestones == milestones && recipe.gamma == 0.1)
    #expect(recipe.crop == (augmented ? 4 : 0) && recipe.flip == augmented)
    #expect(recipe.momentum == 0.9 && (!recipe.nesterov || optimizer != .sgd))
    #expect(recipe.labelSmoothing == 0 && recipe.clipNorm == nil)
  }

  /// Rates move once an epoch, except one-cycle's, which move at each step.
  @Test func ratesOverTime() throws {
    func rates(_ recipe: Recipe, steps: Int = 5) -> [[Double]] {
      (0..<recipe.epochs).map { epoch in (0..<steps).map { recipe.rate(epoch: epoch, step: $0, stepsPerEpoch: steps) } }
    }
    var recipe = Recipe()
    recipe.epochs = 100
    recipe.learningRate = 0.1
    recipe.schedule = .multiStep
    recipe.milestones = [60, 90]
    for (epoch, row) in rates(recipe).enumerated() {
      for rate in row { expectClose(rate, epoch < 60 ? 0.1 : epoch < 90 ? 0.01 : 0.001) }
    }
    recipe.schedule = .cosine
    for (epoch, row) in rates(recipe).enumerated() {
      for rate in row { expectClose(rate, 0.05 * (1 + cos(.pi * Double(epoch) / 100))) }
    }
    recipe.period = 1000
    expectClose(recipe.rate(epoch: 99, step: 0, stepsPerEpoch: 5), 0.05 * (1 + cos(.pi * 0.099)))
    recipe.schedule = .constant
    #expect(rates(recipe).joined().allSatisfy { $0 == 0.1 })

    recipe.schedule = .oneCycle
    recipe.epochs = 10
    let cycle = rates(recipe, steps: 10).flatMap { $0 }
    expectClose(cycle[0], 0.1 / 25)
    expectClose(cycle.max() ?? 0, 0.1)
    #expect(cycle.firstIndex(of: cycle.max() ?? 0) == 29, "the peak after 30 of 100 steps")
    #expect(
      zip(cycle[...29], cycle[1...29]).allSatisfy { $0 < $1 } && zip(cycle[29...], cycle[30...]).allSatisfy { $0 > $1 })
    expectClose(cycle[99], 0.1 / 25 / 1e4, floor: 1e-8)
  }

  @Test func optimizers() throws {
    let weight = Tensor.ones([2]).requiresGrad_()
    var recipe = Recipe()
    recipe.learningRate = 0.3
    recipe.momentum = 0.8
    recipe.weightDecay = 0.1
    #expect(recipe.makeOptimizer([weight]) is SGD)
    recipe.optimizer = .adam
    let adam = try #require(recipe.makeOptimizer([weight]) as? Adam)
    #expect(
      adam.betas == (0.8, 0.999) && adam.weightDecay == 0.1 && !adam.decoupledWeightDecay && adam.learningRate == 0.3)
    recipe.optimizer = .adamw
    #expect(try #require(recipe.makeOptimizer([weight]) as? Adam).decoupledWeightDecay)
    recipe.optimizer = .sgd
    recipe.momentum = 0
    _ = recipe.makeOptimizer([weight])  // Nesterov without momentum is no error of the user's.
  }
}
