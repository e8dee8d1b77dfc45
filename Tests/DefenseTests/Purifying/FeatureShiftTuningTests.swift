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

/// Feature Shift Tuning against its description, step by step.
@Suite struct FeatureShiftTuningTests {
  private static let cases: [String: @Sendable (inout FeatureShiftTuning.Configuration) -> Void] = [
    "published": { _ in },
    "all off their defaults": {
      ($0.alpha, $0.learningRate, $0.momentum, $0.weightDecay, $0.crop, $0.flip) = (0.7, 0.07, 0.6, 0.03, 2, false)
    },
  ]

  @Test(arguments: cases.keys.sorted()) func runIsTheMethod(_ name: String) throws {
    var c = FeatureShiftTuning.Configuration()
    (c.epochs, c.batch) = (2, 5)
    let edit = try #require(Self.cases[name])
    edit(&c)
    let clean = ImageDataset.tiny(count: 12, size: 12, seed: 8)
    let model = try Classifier.tiny(for: clean, width: 5, seed: 3).eval()
    let before = model.snapshot()
    let seed = Seed(21)
    let context = TrainingContext(precision: .float32, seed: seed)
    let found = try FeatureShiftTuning(c).purify(model, clean: clean, context: context)

    let twin = try model.copied()
    twin.to(.channelsLast).train()
    let named = twin.namedParameters()
    let weight = try #require(named.last { $0.tensor.rank == 2 }).tensor
    let bias = try #require(named.last { $0.tensor.rank == 1 }).tensor
    #expect(weight.dimension(0) == clean.classes && bias.shape == [clean.classes])
    let old = weight.detach().clone()
    let random = Generator(seed: seed("fst/head"))
    let bound = 1 / Double(weight.dimension(1)).squareRoot()
    noGrad {
      weight.copy_(random.uniform(weight.shape, -bound, bound))
      bias.copy_(random.uniform(bias.shape, -bound, bound))
    }
    let sgd = SGD(
      twin.parameters(), learningRate: 1, momentum: c.momentum, weightDecay: c.weightDecay, nesterov: false)
    let augmentation = CropFlip(padding: c.crop, mode: .constant, flip: c.flip)
    for epoch in 0..<2 {
      sgd.learningRate = c.learningRate * (1 + cos(.pi * Double(epoch) / 2)) / 2
      let order = Generator(seed: seed("fst/shuffle", epoch)).permutation(12)
      let augment = Generator(seed: seed("fst/augment", epoch))
      for range in [0..<5, 5..<10, 10..<12] {
        let x = augmentation.gather(images: clean.images, indices: order[range], augment)
        let loss = F.crossEntropy(twin(x), clean.labels[order[range]]) + (weight * old).sum() * c.alpha
        sgd.step(minimizing: loss)
        noGrad { weight.copy_(weight * (old.norm() / weight.norm())) }
      }
    }
    expectSame(found.snapshot(), twin.snapshot())
    expectSame(model.snapshot(), before)
    let head = try #require(found.namedParameters().last { $0.tensor.rank == 2 }).tensor
    expectClose(head.norm().item(), old.norm().item(), tolerance: 1e-5)
  }
}
