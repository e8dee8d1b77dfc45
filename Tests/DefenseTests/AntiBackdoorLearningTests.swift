import Backdoor
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Defenses

/// Anti-backdoor learning against its description: ascent below gamma, isolation, tuning, unlearning.
@Suite struct AntiBackdoorLearningTests {
  private static var data: ImageDataset { .tiny(count: 14, size: 8, seed: 8) }
  private func settings(_ ascent: AntiBackdoorLearning.Ascent) -> AntiBackdoorLearning.Configuration {
    var c = AntiBackdoorLearning.Configuration()
    (c.ascent, c.gamma, c.isolated) = (ascent, 1.35, 0.3)
    (c.isolationEpochs, c.tuningEpochs, c.unlearningEpochs) = (2, 3, 2)
    (c.batch, c.learningRate, c.tuningRate, c.unlearningRate, c.tuningMilestone) = (5, 0.06, 0.03, 0.02, 2)
    (c.momentum, c.nesterov, c.weightDecay, c.crop, c.flip) = (0.4, false, 0.02, 1, false)
    return c
  }
  private func run(
    _ c: AntiBackdoorLearning.Configuration, data: ImageDataset = Self.data, context: TrainingContext? = nil
  ) throws -> DefenseOutcome {
    try AntiBackdoorLearning(c).run(
      DefenseInput(
        for: AntiBackdoorLearning.self, training: context ?? TrainingContext(precision: .float32, seed: 21), seed: 5,
        architecture: data.tinyArchitecture, poisonedTrain: data))
  }

  @Test(arguments: AntiBackdoorLearning.Ascent.allCases) func runIsTheMethod(_ ascent: AntiBackdoorLearning.Ascent)
    throws
  {
    let (c, data, seed) = (settings(ascent), Self.data, Seed(21))
    let found = try run(c)
    let twin = try data.tinyArchitecture(Generator(seed: Seed(5)("init")))
    twin.to(.channelsLast).train()
    let augmentation = CropFlip(padding: 1, mode: .constant, flip: false)
    var signs: Set<Bool> = []
    func stage(_ name: String, _ epochs: Int, _ positions: [Int], rate: (Int) -> Double, loss: (Tensor) -> Tensor) {
      let sgd = SGD(twin.parameters(), learningRate: 1, momentum: 0.4, weightDecay: 0.02, nesterov: false)
      let part = data.subset(positions)
      for epoch in 0..<epochs {
        sgd.learningRate = rate(epoch)
        let order = Generator(seed: seed("\(name)/shuffle", epoch)).permutation(part.count)
        let augment = Generator(seed: seed("\(name)/augment", epoch))
        for first in stride(from: 0, to: part.count, by: 5) {
          let rows = order[first..<min(first + 5, part.count)]
          let x = augmentation.gather(images: part.images, indices: rows, augment)
          sgd.step(minimizing: loss(F.crossEntropy(twin(x), part.labels[rows], reduction: .none)))
        }
      }
    }
    stage("abl-isolate", 2, Array(0..<14), rate: { _ in 0.06 }) { losses in
      if ascent == .batch {
        let mean = losses.mean()
        signs.insert(mean.item() < 1.35)
        return mean.item() < 1.35 ? -mean : mean
      }
      for loss in losses.array(Float.self) { signs.insert(loss < 1.35) }
      return (losses * ((losses.detach() .> 1.35).to(.float32) * 2 - 1)).mean()
    }
    #expect(signs.count == 2, "steps that descend and steps that ascend")
    twin.eval()
    let losses = noGrad { F.crossEntropy(twin(data.pixels(0..<14)), data.labels, reduction: .none) }
    let order = losses.argsort().array(Int64.self).map(Int.init)
    let (isolated, rest) = (order[0..<4].sorted(), order[4...].sorted())
    #expect(found.filtered?.rejected == isolated && found.filtered?.kept == rest)
    expectClose(Tensor(try #require(found.suspicion)), -losses.to(.float64), tolerance: 1e-5)
    twin.train()
    stage("abl-tune", 3, rest, rate: { $0 < 2 ? 0.03 : 0.003 }) { $0.mean() }
    stage("abl-unlearn", 2, isolated, rate: { _ in 0.02 }) { -$0.mean() }
    for (a, b) in zip(try #require(found.model).snapshot(), twin.snapshot()) {
      expectClose(a.tensor, b.tensor, tolerance: 1e-5, a.key)
    }
  }

  /// Values of equation 3, by hand.
  @Test func ascent() {
    let losses = Tensor([0.2, 0.4, 3.0] as [Float])
    expectClose(AntiBackdoorLearning.ascending(losses, .batch, gamma: 0.5).item(), 1.2, tolerance: 1e-6)
    expectClose(AntiBackdoorLearning.ascending(losses, .batch, gamma: 1.5).item(), -1.2, tolerance: 1e-6)
    expectClose(AntiBackdoorLearning.ascending(losses, .sample, gamma: 0.5).item(), 0.8, tolerance: 1e-6)
  }

  @Test(arguments: ["abl-isolate", "abl-tune", "abl-unlearn"]) func resumesToTheSameBits(_ stage: String) throws {
    struct Killed: Error {}
    let c = settings(.batch)
    let whole = try #require(try run(c).model).snapshot()
    let context = TrainingContext(precision: .float32, seed: 21, checkpoints: MemoryCheckpoints())
    context.onEpoch = { if $0.stage == stage, $0.epoch == 2 { throw Killed() } }
    #expect(throws: Killed.self) { try run(c, context: context) }
    context.onEpoch = nil
    expectSame(try #require(try run(c, context: context).model).snapshot(), whole)
  }

  @Test func tooFewToIsolate() {
    for (share, words) in [(0.01, "no sample of 14"), (0.1, "one sample of 14")] {
      var c = settings(.batch)
      c.isolated = share
      let error = #expect(throws: DefenseError.self) { try run(c) }
      #expect(error?.description.contains(words) == true)
    }
  }
}
