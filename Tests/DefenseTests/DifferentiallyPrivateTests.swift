import Backdoor
import Foundation
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

@Suite struct DifferentiallyPrivateTests {
  /// The vectorised sum against a loop over samples: each one's gradient by itself, clipped.
  @Test(arguments: ModelKind.all.map(\.id).filter { $0 != "vgg19_bn" && !unknown.map(\.kind).contains($0) })
  func clippingIsThatOfALoop(_ kind: String) throws {
    let data = ImageDataset.tiny(count: 3, size: 8)
    let model = try Classifier.tiny(for: data, kind: kind, width: 2).train()
    model.normalizeGroups(2)
    for case let dropout as Dropout in model.modules().map(\.module) { dropout.train(false) }
    let (x, y) = (data.pixels(0..<3), data.labels)
    var clipping = try PerSampleClipping(model, id: "test")
    let parameters = model.parameters()
    var norms: [Double] = []
    let single = (0..<3).map { row -> [Tensor] in
      let own = gradients(of: F.crossEntropy(model(x[row..<(row + 1)]), y[row..<(row + 1)]), at: parameters)
      norms.append(own.reduce(0) { $0 + $1.square().sum().item() }.squareRoot())
      return own
    }
    // A bound that clips some and not others.
    let bound = (norms.min()! + norms.max()!) / 2
    let found = clipping(bound: bound) { F.crossEntropy(model(x), y, reduction: .none) }
    expectClose(found.norms, Tensor(norms.map(Float.init)), tolerance: 1e-4)
    #expect(norms.contains { $0 > bound } && norms.contains { $0 < bound })
    for (index, gradient) in found.gradients.enumerated() {
      let expected = (0..<3).reduce(Tensor.zeros(gradient.shape)) {
        $0 + single[$1][index] * min(1, bound / norms[$1])
      }
      expectClose(gradient, expected, tolerance: 5e-4, floor: 0.1, "parameter \(index)")
    }
    // The same without room for gradients of single samples.
    clipping.keptNumbers = 0
    let again = clipping(bound: bound) { F.crossEntropy(model(x), y, reduction: .none) }
    for (a, b) in zip(again.gradients, found.gradients) { expectClose(a, b, tolerance: 5e-4, floor: 0.1) }
  }

  /// Architectures with layers whose gradients of single samples are not known.
  private static let unknown: [(kind: String, width: Int)] = [
    (kind: "mobilenet_v2", width: 2), ("efficientnet_b0", 2), ("convnext_tiny", 2), ("vit_tiny", 3), ("vit_small", 6),
    ("vit_base", 12),
  ]
  @Test(arguments: unknown) func otherLayersAreRefused(_ kind: String, _ width: Int) throws {
    let model = try Classifier.tiny(for: ImageDataset.tiny(count: 3, size: 16), kind: kind, width: width)
    model.normalizeGroups(2)
    let error = #expect(throws: DefenseError.self) { try PerSampleClipping(model, id: "test") }
    #expect(error?.description.contains("Choose another model") == true)
  }

  @Test func runIsTheMethod() throws {
    var c = DifferentiallyPrivateTraining.Configuration()
    (c.clip, c.noise, c.delta, c.groups) = (0.7, 0.3, 2e-3, 2)
    (c.recipe.epochs, c.recipe.batch, c.recipe.dropLast, c.recipe.schedule) = (2, 5, false, .constant)
    (c.recipe.learningRate, c.recipe.momentum, c.recipe.weightDecay) = (0.2, 0.4, 0.03)
    (c.recipe.crop, c.recipe.flip, c.recipe.labelSmoothing) = (1, false, 0.2)
    let data = ImageDataset.tiny(count: 12, size: 8, seed: 8)
    let seed = Seed(21)
    let progress = RecordingProgress()
    let context = TrainingContext(precision: .float32, seed: seed, progress: progress)
    let input = try DefenseInput(
      for: DifferentiallyPrivateTraining.self, training: context, seed: 5, architecture: data.tinyArchitecture,
      poisonedTrain: data)
    let found = try #require(DifferentiallyPrivateTraining(c).run(input).model)

    let twin = try data.tinyArchitecture(Generator(seed: Seed(5)("init")))
    twin.to(.channelsLast).train()
    for case let norm as BatchNorm2d in twin.modules().map(\.module) { norm.groups = 2 }
    let parameters = twin.parameters()
    let sgd = SGD(parameters, learningRate: 0.2, momentum: 0.4, weightDecay: 0.03, nesterov: false)
    let augmentation = CropFlip(padding: 1, mode: .constant, flip: false)
    for epoch in 0..<2 {
      let order = Generator(seed: seed("dpsgd/shuffle", epoch)).permutation(12)
      let augment = Generator(seed: seed("dpsgd/augment", epoch))
      let noise = Generator(seed: seed("dpsgd/noise", epoch))
      for range in [0..<5, 5..<10, 10..<12] {
        let x = augmentation.gather(images: data.images, indices: order[range], augment)
        let y = data.labels[order[range]]
        var sums = parameters.map { Tensor.zeros($0.shape) }
        for row in 0..<range.count {
          let loss = F.crossEntropy(twin(x[row..<(row + 1)]), y[row..<(row + 1)], labelSmoothing: 0.2)
          let own = gradients(of: loss, at: parameters)
          let norm = own.reduce(0) { $0 + $1.square().sum().item() }.squareRoot()
          sums = zip(sums, own).map { $0 + $1 * min(1, 0.7 / norm) }
        }
        sgd.step(gradients: sums.map { ($0 + noise.normal($0.shape) * 0.21) / Double(range.count) })
      }
    }
    for (a, b) in zip(found.snapshot(), twin.snapshot()) { expectClose(a.tensor, b.tensor, tolerance: 1e-4, a.key) }
    #expect(found.spec?.shape.groups == 2)
    // Two epochs of three batches of 5 of 12.
    let epsilon = PrivacyAccountant(rate: 5.0 / 12, noise: 0.3).epsilon(steps: 6, delta: 2e-3)
    let said = "(epsilon \(String(format: "%.2f", epsilon)), delta 0.002) differential privacy"
    #expect(progress.messages.contains { $0.contains(said) }, "\(progress.messages), expected \(said)")
  }

  /// Group normalisation takes single images.
  @Test func batchesOfOne() throws {
    var c = DifferentiallyPrivateTraining.Configuration()
    (c.recipe.epochs, c.recipe.batch, c.recipe.crop) = (1, 1, 0)
    let data = ImageDataset.tiny(count: 3, size: 8, seed: 8)
    let input = try DefenseInput(
      for: DifferentiallyPrivateTraining.self, training: TrainingContext(precision: .float32), seed: 5,
      architecture: data.tinyArchitecture, poisonedTrain: data)
    #expect(try DifferentiallyPrivateTraining(c).run(input).model != nil)
  }

  /// A model without batch normalisation comes back from its file without it.
  @Test func fileSaysHowItNormalises() throws {
    let data = ImageDataset.tiny(count: 6, size: 8)
    let model = try Classifier.tiny(for: data).eval()
    let before = noGrad { model(data.pixels(0..<6)) }
    model.normalizeGroups(3)
    let opened = try withTemporaryFolder { folder in
      try model.save("\(folder)/groups.safetensors")
      return try Classifier.open("\(folder)/groups.safetensors").eval()
    }
    let logits = noGrad { model(data.pixels(0..<6)) }
    expectSame(noGrad { opened(data.pixels(0..<6)) }, logits)
    expectSame(noGrad { try! model.copied()(data.pixels(0..<6)) }, logits)
    #expect((logits - before).abs().max().item() > 1e-3)
    // Each image by itself: the others do not matter.
    expectClose(noGrad { model.train()(data.pixels(2..<3)) }, logits[2..<3], tolerance: 1e-5)
  }

  @Test func epsilonOfOtherAccountants() throws {
    let golden = try Golden("privacy").settings
    for entry in try golden["epsilons"].list() {
      let accountant = PrivacyAccountant(rate: entry["rate"].double!, noise: entry["noise"].double!)
      let found = accountant.epsilon(steps: entry["steps"].int!, delta: entry["delta"].double!)
      expectClose(found, entry["epsilon"].double!, tolerance: 1e-6)
    }
    for entry in try golden["orders"].list() {
      let accountant = PrivacyAccountant(rate: entry["rate"].double!, noise: entry["noise"].double!)
      expectClose(accountant.renyi(entry["order"].double!), entry["renyi"].double!, tolerance: 1e-7, floor: 1e-9)
    }
    // TensorFlow Privacy's tutorial: 60,000 samples, batch 256, noise 1.12, 60 epochs: 2.92 at delta 1e-5.
    let tutorial = PrivacyAccountant(rate: 256.0 / 60000, noise: 1.12)
    #expect(abs(tutorial.epsilon(steps: 14063, delta: 1e-5, classic: true) - 2.92) < 0.01)
    // Abadi et al.: q .01, noise 4, 10,000 steps, delta 1e-5: 1.26.
    let moments = PrivacyAccountant(rate: 0.01, noise: 4)
    #expect(abs(moments.epsilon(steps: 10000, delta: 1e-5, classic: true) - 1.26) < 0.01)
    #expect(PrivacyAccountant(rate: 0.1, noise: 0).epsilon(steps: 1, delta: 1e-5) == .infinity)
    #expect(PrivacyAccountant(rate: 0.1, noise: 1).epsilon(steps: 0, delta: 1e-5) == 0)
  }
}
