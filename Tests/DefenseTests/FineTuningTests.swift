import Backdoor
import Defenses
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Fine-tuning against its description: SGD with momentum along a cosine, augmented, on all clean images, every batch.
@Suite struct FineTuningTests {
  private static let cases: [String: @Sendable (inout FineTuning.Configuration) -> Void] = [
    "benchmarks": { _ in },
    "all off their defaults": {
      ($0.learningRate, $0.momentum, $0.weightDecay, $0.crop, $0.flip) = (0.07, 0.6, 0.03, 2, false)
    },
    "no crop": { ($0.crop, $0.weightDecay, $0.momentum) = (0, 0, 0.3) },
    "no momentum": { ($0.momentum, $0.learningRate) = (0, 0.2) },
  ]

  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    var c = FineTuning.Configuration()
    (c.epochs, c.batch) = (3, 5)
    let edit = try #require(Self.cases[name])
    edit(&c)
    // 12 images: the last batch has two, and is not left out.
    let clean = ImageDataset.tiny(count: 12, size: 12, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 5, seed: 3).eval()
    let seed = Seed(21)
    let context = TrainingContext(precision: .float32, seed: seed)
    var rates: [Double] = []
    context.onEpoch = { report in rates += report.values.filter { $0.key == "learningRate" }.map(\.value) }
    let input = try DefenseInput(
      for: FineTuning.self, training: context, seed: 5, poisonedTrain: .tiny(count: 30, size: 12), model: model,
      cleanSplit: clean)
    let found = try #require(FineTuning(c).run(input).model)

    let twin = try model.copied()
    twin.to(.channelsLast).train()
    let sgd = SGD(
      twin.parameters(), learningRate: 1, momentum: c.momentum, weightDecay: c.weightDecay, nesterov: false)
    let augmentation = CropFlip(padding: c.crop, mode: .constant, flip: c.flip)
    for epoch in 0..<3 {
      sgd.learningRate = c.learningRate * (1 + cos(.pi * Double(epoch) / 3)) / 2
      let order = Generator(seed: seed("ft/shuffle", epoch)).permutation(12)
      let augment = Generator(seed: seed("ft/augment", epoch))
      for range in [0..<5, 5..<10, 10..<12] {
        let x = augmentation.gather(images: clean.images, indices: order[range], augment)
        sgd.step(minimizing: F.crossEntropy(twin(x), clean.labels[order[range]]))
      }
    }
    expectSame(found.snapshot(), twin.snapshot())
    #expect(rates.count == 3 && abs(rates[1] / rates[0] - 0.75) < 1e-12 && abs(rates[2] / rates[0] - 0.25) < 1e-12)
    #expect(zip(found.snapshot(), model.snapshot()).contains { ($0.tensor - $1.tensor).abs().max().item() > 0.01 })
  }
}
