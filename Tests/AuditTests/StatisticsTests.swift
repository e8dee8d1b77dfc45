import Backdoor
import Foundation
import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

@testable import Audit

/// A network of one linear layer on the pixels.
private final class LinearModel: Classifier {
  @Parameter var weight: Tensor

  init(_ weight: Tensor) {
    self.weight = weight
    super.init(classes: weight.dimension(0), normalization: .none)
  }
  override func features(normalized x: Tensor) -> Features { Features(stages: [], penultimate: x.flattened(1)) }
  override func logits(_ penultimate: Tensor) -> Tensor { F.linear(penultimate, weight) }
}

@Suite struct StatisticsTests {
  private let context = TrainingContext(precision: .float32, seed: 4)

  /// On a linear model of two classes the best patch is known: of each pixel, the gain is that of its best colour over
  /// the mean of what it covers.
  @Test func thePatchOfALinearModelIsTheBestOne() throws {
    let weight = pattern([2, 3 * 6 * 6], 0.4)
    let model = LinearModel(weight)
    // The same image again and again: the weights of the images in the gradient change nothing.
    let image = imagePattern([1, 3, 6, 6], 2)
    let data = ImageDataset(
      name: "generated", images: image.quantized().repeated(8, 1, 1, 1), labels: .zeros([8], dtype: .int64),
      classNames: ["a", "b"])
    let direction = (weight[1] - weight[0]).reshaped(3, 36)
    let gain = direction.relu().sum([0]) - (direction * data.pixels(0..<1).reshaped(3, 36)).sum([0])
    let best = gain.topK(4, 0).indices.array(Int64.self).sorted()
    let found = try SparsePatch(pixels: 4, steps: 6, batch: 5).search(model.requiresGrad(false), data, context)
    #expect(found.mask[1].flattened().nonzero().flattened().array(Int64.self) == best)
    let colour = found.colour[1].reshaped(3, 36)
    for pixel in best.map(Int.init) {
      for channel in 0..<3 {
        let wanted = direction[channel][pixel].item() > 0 ? 1.0 : 0
        #expect(abs(colour[channel][pixel].item() - wanted) < 1e-5)
      }
    }
    // All images are of class 0: nothing can be carried there.
    #expect(found.mask[0].sum().item() == 0)
  }

  @Test func theLargestMarginOfALinearModelIsAtACorner() throws {
    let weight = pattern([2, 12], 1.1)
    let model = LinearModel(weight).requiresGrad(false)
    let climb = MaximumMargin(starts: 6, steps: 80, step: 0.05)
    let values = try climb.values(model, channels: 3, height: 2, width: 2, context)
    for target in 0..<2 {
      // Ones where the weights' difference is positive.
      let best = (weight[target] - weight[1 - target]).relu().sum().item()
      expectClose(values[target], log(best), tolerance: 1e-4, floor: 1)
    }
  }

  @Test func thePerturbationOfALinearModelIsTheSignOfItsWeights() throws {
    let weight = pattern([2, 3 * 4 * 4], 0.4)
    let model = LinearModel(weight).requiresGrad(false)
    let data = ImageDataset(
      name: "generated", images: .full([6, 3, 4, 4], 128, dtype: .uint8), labels: .zeros([6], dtype: .int64),
      classNames: ["a", "b"])
    let found = try UniversalPerturbation(epsilon: 0.03, steps: 12, step: 0.2, batch: 4).search(model, data, context)
    expectClose(found[1].flattened(), (weight[1] - weight[0]).sign() * 0.03)
    #expect(found[0].abs().max().item() == 0)
  }

  /// Two classes or many, gray or colour, any architecture, with classes in groups; the same seed gives the same values,
  /// and another precision nearly the same.
  @Test(arguments: [("cnn", 2, 1, 16), ("preactresnet18", 5, 3, 16), ("vgg19", 3, 3, 32), ("cnn", 60, 3, 64)])
  func anyModel(kind: String, classes: Int, channels: Int, size: Int) throws {
    let data = ImageDataset.tiny(count: 22, channels: channels, size: size, classes: classes)
    let model = try Classifier.tiny(for: data, kind: kind, width: kind == "vgg19" ? 8 : 2).eval()
    var settings = AuditSettings()
    (settings.starts, settings.marginSteps, settings.patchSteps, settings.perturbationSteps) = (2, 2, 2, 2)
    settings.batch = 4
    func measured(_ context: TrainingContext) throws -> AuditMeasurement {
      let images = try AuditImages(data.withoutLabels(), model: model, most: 20, context: context)
      #expect(images.search.count == 10 && images.heldOut.count == 10)
      return try AuditMeasurement(model, images, settings, context: context)
    }
    let first = try measured(context)
    let s = first.statistics
    #expect(s.margin.count == classes && s.patch.count == classes && s.perturbation?.count == classes)
    for value in s.margin + s.patch + (s.perturbation ?? []) { #expect(value.isFinite) }
    for share in s.patchSuccess + (s.perturbationSuccess ?? []) { #expect((0...1).contains(share)) }
    let pixels = settings.patchPixels(height: size, width: size)
    for patch in first.patches.values { #expect(patch.mask.sum().item() <= Double(pixels)) }
    for change in (first.perturbations ?? [:]).values {
      #expect(change.abs().max().item() <= 8 / 255 + 1e-6)
    }
    if kind == "cnn", classes == 2 {
      #expect(try measured(TrainingContext(precision: .float32, seed: 4)).statistics == s)
      let half = try measured(TrainingContext(precision: .bfloat16, seed: 4)).statistics
      for (a, b) in zip(half.margin, s.margin) { #expect(abs(a - b) < 0.2) }
    }
  }

  /// A class that the model takes all held-out images for has no images to send there, and is no class that stands out.
  @Test func aClassThatAllImagesHaveIsLeftOut() throws {
    let weight = Tensor.concatenated([pattern([1, 48], 0.4), pattern([1, 48], 0.4) + 1, pattern([1, 48], 0.3)], 0)
    let model = LinearModel(weight).requiresGrad(false)
    let data = ImageDataset(
      name: "generated", images: imagePattern([20, 3, 4, 4], 2).quantized(), labels: .zeros([20], dtype: .int64),
      classNames: ["a", "b", "c"])
    var settings = AuditSettings()
    (settings.starts, settings.marginSteps, settings.patchSteps, settings.perturbationSteps) = (2, 2, 2, 2)
    let images = try AuditImages(data, model: model, most: 20, context: context)
    #expect(images.heldOut.labelArray().allSatisfy { $0 == 1 })
    let all = try AuditMeasurement(model, images, settings, context: context).statistics
    let s = try #require(all.withOtherImages)
    #expect(all.counts == [10, 0, 10] && s.measured == [0, 2] && s.counts == [10, 10])
    #expect(
      s.margin == [all.margin[0], all.margin[2]] && s.perturbation?.count == 2 && s.perturbationSuccess?.count == 2)
    let alone = try AuditMeasurement(model, images, settings, classes: [0, 1], context: context).statistics
    #expect(alone.withOtherImages?.measured == [0])
    let none = try AuditMeasurement(model, images, settings, classes: [1], context: context).statistics
    #expect(none.withOtherImages == nil)
    #expect(ClassHalving.ranks(all, bank: nil, statistics: [])[1] == -.infinity)
    #expect(ClassHalving.ranks(all, bank: [s, s], statistics: []) == [0, -.infinity, 0])
  }

  /// Finished parts are taken from the store, not computed again.
  @Test func finishedPartsAreKept() throws {
    let data = ImageDataset.tiny(count: 20, size: 16, classes: 2)
    let model = try Classifier.tiny(for: data, width: 2).eval()
    var settings = AuditSettings()
    (settings.starts, settings.marginSteps, settings.patchSteps, settings.perturbationSteps) = (2, 2, 2, 2)
    let whole = try AuditMeasurement(
      model, AuditImages(data, model: model, most: 20, context: context), settings, context: context)
    let store = MemoryCheckpoints()
    let progress = RecordingProgress()
    let stopped = TrainingContext(precision: .float32, seed: 4, progress: progress, checkpoints: store)
    // After the margins, within the patches.
    #expect(throws: Interrupted.self) {
      try Interruption.simulated(afterChecks: 3) {
        _ = try AuditMeasurement(
          model, AuditImages(data, model: model, most: 20, context: stopped), settings, context: stopped)
      }
    }
    let again = try AuditMeasurement(
      model, AuditImages(data, model: model, most: 20, context: stopped), settings, context: stopped)
    #expect(again.statistics == whole.statistics)
    let begun = progress.events.count {
      if case .begin(let title, _, _) = $0 { title == "largest margins" } else { false }
    }
    #expect(begun == 1)
  }
}
