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

/// IBD-PSC against Python torch, and its two rules written out.
@Suite struct ScalingConsistencyTests {
  private let context = TrainingContext(precision: .float32)

  @Test func equalsPython() throws {
    let golden = try Golden("scaling").settings
    let model = try ModelSpec(kind: "preactresnet18", shape: ModelShape(classes: 10, width: 4, imageSize: 16))
      .make(Generator(seed: 0))
    model.fillWithPattern(phaseOffset: 3.8).scaleWeights().eval()
    let before = model.snapshot()
    let images = imagePattern([24, 3, 16, 16], 0.5).quantized()
    let labels = Tensor(try #require(golden["labels"].ints).map(Int64.init))
    let data = ImageDataset(name: "pattern", images: images, labels: labels, classNames: (0..<10).map(String.init))
    expectSame(noGrad { model(images.unitPixels()).argmax(1) }, labels)

    var layers = try ScaledLayers(model, factor: 1.5, context)
    for (place, error) in try golden["errors"].numbers().enumerated() {
      expectClose(layers.error(scaling: place + 1, on: data), error, tolerance: 1e-9, "\(place + 1) layers")
    }
    layers.first = try layers.count(withErrorAbove: 0.7, on: data, models: 3)
    #expect(layers.first == golden["first"].int)
    let scores = try layers.scores(of: data, models: 3)
    for (found, expected) in zip(scores, try golden["scores"].numbers()) {
      expectClose(found, expected, tolerance: 1e-4, floor: 0.01)
    }
    expectSame(model.snapshot(), before, "the suspect")
  }

  /// Where no number of layers suffices, the models with the most of them count: the last scales all.
  @Test func aModelThatStaysRight() throws {
    let data = ImageDataset.tiny(count: 12, size: 16)
    let model = try Classifier.tiny(for: data, kind: "cnn", width: 2).eval()
    let progress = RecordingProgress()
    let layers = try ScaledLayers(model, factor: 1.5, TrainingContext(precision: .float32, progress: progress))
    #expect(try layers.count(withErrorAbove: 1, on: data, models: 1) == 2)
    #expect(try layers.count(withErrorAbove: 1, on: data, models: 9) == 1)
    #expect(progress.messages.allSatisfy { $0.contains("defense.error") } && progress.messages.count == 2)
    // More layers than there are is all of them.
    let all = layers.model(scaling: 3).snapshot()
    expectSame(layers.model(scaling: 8).snapshot(), all)
    #expect(layers.model(scaling: 2).snapshot().first { $0.key == "bn1.weight" }?.tensor.max().item() == 1)
    #expect(layers.model(scaling: 0).snapshot().first { $0.key == "bn3.weight" }?.tensor.max().item() == 1)
  }

  private func outcome(_ settings: ScalingConsistency.Configuration, count: Int = 48) throws -> DefenseOutcome {
    let data = ImageDataset.tiny(count: count, size: 16)
    return try ScalingConsistency(settings).run(
      DefenseInput(
        for: ScalingConsistency.self, training: context, seed: 3, poisonedTrain: data,
        model: Classifier.tiny(for: data, kind: "cnn", width: 2).eval(),
        cleanSplit: ImageDataset.tiny(count: 21, size: 16, seed: 9)))
  }

  @Test func rulesAreTheirDescription() throws {
    var c = ScalingConsistency.Configuration()
    let scores = try #require(try outcome(c).suspicion)
    // A threshold between two scores.
    let sorted = Set(scores).sorted()
    c.threshold = (sorted[sorted.count / 2] + sorted[sorted.count / 2 - 1]) / 2
    let found = try outcome(c)
    #expect(found.filtered?.rejected == scores.indices.filter { scores[$0] > c.threshold })
    #expect(found.suspicion == scores && found.scores.first?.threshold == c.threshold)

    (c.rule, c.level) = (.conformal, 0.9)
    let judged = try outcome(c)
    let values = try #require(judged.suspicion), pValues = try #require(judged.scores.last).values
    #expect(judged.filtered?.rejected == ConformalNull.rejected(pValues, level: 0.9))
    // Eleven of 21 clean images choose the layers, ten are left for p-values.
    #expect(pValues.allSatisfy { abs(($0 * 11).rounded() - $0 * 11) < 1e-9 && $0 >= 1.0 / 11 - 1e-9 })
    let order = values.indices.sorted { values[$0] > values[$1] }
    #expect(zip(order, order.dropFirst()).allSatisfy { values[$0] == values[$1] || pValues[$0] <= pValues[$1] })
    #expect(Set(pValues).count > 1)
  }

  @Test func modelsWithoutBatchNormAreRefused() throws {
    let data = ImageDataset.tiny(count: 12, size: 32)
    let model = try Classifier.tiny(for: data, kind: "vgg19", width: 8)
    let error = #expect(throws: DefenseError.self) { try ScalingConsistency.requireLayers(of: model) }
    #expect(error?.description.contains("spectral") == true)
  }
}
