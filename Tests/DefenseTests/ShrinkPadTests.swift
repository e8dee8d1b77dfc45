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

@testable import Defenses

@Suite struct ShrinkPadTests {
  /// Four by four pixels to two by two: bilinear at half the size is the mean of 2 x 2; values by hand.
  @Test func valuesByHand() {
    let image = Tensor.arange(0..<16, dtype: .float32).reshaped([1, 1, 4, 4])
    let expected = Tensor([2.5, 4.5, 0, 0, 10.5, 12.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] as [Float], shape: [1, 1, 4, 4])
    expectClose(ShrinkPad(share: 0.5)(image), expected, tolerance: 1e-6)
    expectSame(ShrinkPad(share: 0.1)(image), image)
    #expect(ShrinkPad(share: 0.1).border(32) == 3 && ShrinkPad(share: 0.99).border(4) == 3)
    // At random: each image somewhere, with all of its brightness.
    let many = ShrinkPad(share: 0.5, seed: 3)(image.expanded([40, 1, 4, 4]))
    expectClose(many.sum([1, 2, 3]), Tensor.full([40], 30), tolerance: 1e-6)
    let corners = Set(many.reshaped(40, 16).argmax(1).array(Int64.self))
    #expect(corners == [5, 6, 7, 9, 10, 11, 13, 14, 15])
    expectSame(ShrinkPad(share: 0.5, seed: 3)(image.expanded([40, 1, 4, 4])), many)
  }

  @Test(arguments: [false, true]) func guardIsPartOfTheModelAndItsFile(_ random: Bool) throws {
    let data = ImageDataset.tiny(count: 6, size: 8)
    let model = try Classifier.tiny(for: data).eval()
    var c = ShrinkPadGuard.Configuration()
    (c.share, c.random) = (0.3, random)
    let input = try DefenseInput(
      for: ShrinkPadGuard.self, training: TrainingContext(precision: .float32, seed: 3), seed: 5, model: model)
    let guarded = try #require(ShrinkPadGuard(c).run(input).model)
    let small = ShrinkPad(share: 0.3, seed: random ? Seed(5)("shrinkpad") : nil)(data.pixels(0..<6))
    let expected = noGrad { model(small) }
    expectClose(noGrad { guarded(data.pixels(0..<6)) }, expected, tolerance: 1e-5)
    let opened = try withTemporaryFolder { folder in
      try guarded.save("\(folder)/guarded.safetensors")
      return try Classifier.open("\(folder)/guarded.safetensors").eval()
    }
    expectClose(noGrad { opened(data.pixels(0..<6)) }, expected, tolerance: 1e-5)
    #expect((expected - noGrad { model(data.pixels(0..<6)) }).abs().max().item() > 1e-4)
    let again = try DefenseInput(
      for: ShrinkPadGuard.self, training: TrainingContext(), seed: 5, model: guarded)
    let error = #expect(throws: DefenseError.self) { try ShrinkPadGuard(c).run(again) }
    #expect(error?.description.contains("already") == true)
  }

  @Test func trainingIsTheMethod() throws {
    var c = ShrinkPadTraining.Configuration()
    (c.transform.share, c.transform.random) = (0.3, true)
    (c.recipe.epochs, c.recipe.batch, c.recipe.dropLast, c.recipe.schedule) = (2, 5, false, .constant)
    (c.recipe.learningRate, c.recipe.momentum, c.recipe.crop, c.recipe.flip) = (0.05, 0.4, 1, false)
    let (data, seed) = (ImageDataset.tiny(count: 12, size: 8, seed: 8), Seed(21))
    let input = try DefenseInput(
      for: ShrinkPadTraining.self, training: TrainingContext(precision: .float32, seed: seed), seed: 5,
      architecture: data.tinyArchitecture, poisonedTrain: data)
    let found = try #require(ShrinkPadTraining(c).run(input).model)
    let twin = try data.tinyArchitecture(Generator(seed: Seed(5)("init")))
    twin.to(.channelsLast).train()
    let sgd = SGD(twin.parameters(), learningRate: 0.05, momentum: 0.4, weightDecay: 5e-4, nesterov: false)
    let augmentation = CropFlip(padding: 1, mode: .constant, flip: false)
    let transform = ShrinkPad(share: 0.3, seed: Seed(5)("shrinkpad"))
    for epoch in 0..<2 {
      let order = Generator(seed: seed("shrinkpad-training/shuffle", epoch)).permutation(12)
      let augment = Generator(seed: seed("shrinkpad-training/augment", epoch))
      for range in [0..<5, 5..<10, 10..<12] {
        let x = augmentation.gather(images: data.images, indices: order[range], augment)
        sgd.step(minimizing: F.crossEntropy(twin(transform(x)), data.labels[order[range]]))
      }
    }
    for (a, b) in zip(found.snapshot(), twin.snapshot()) { expectClose(a.tensor, b.tensor, tolerance: 1e-5, a.key) }
    #expect(found.shrinkPad == transform)
  }
}
