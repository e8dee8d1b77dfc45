import Support
import TestData
import TestSupport
import Testing
import Torch
import TorchNN
import Training
import Vision

/// Two epochs of three steps against the method written out in `MixMatchTwin`, every setting off its default, a third of
/// the labels credible and another third in the second epoch.
@Suite struct MixMatchTwinTests {
  typealias Edit = @Sendable (inout MixMatch) -> Void
  static let cases: [(name: String, flip: Bool, edit: Edit)] = [
    ("two views", true, { _ in }),
    (
      "three views, cosine, running statistics", false,
      { ($0.views, $0.schedule, $0.guess, $0.ramp, $0.crop) = (3, .cosine, .running, 1.2, 3) }
    ),
  ]

  @Test(arguments: cases.map(\.name)) func runIsTheMethod(_ name: String) throws {
    let (_, flip, edit) = try #require(Self.cases.first { $0.name == name })
    let data = ImageDataset.tiny(count: 15)
    var settings = MixMatch()
    (settings.epochs, settings.iterations, settings.batch, settings.learningRate) = (2, 3, 4, 0.02)
    (settings.temperature, settings.mixing, settings.unlabeledWeight, settings.crop) = (0.7, 0.4, 9, 2)
    edit(&settings)
    // The smallest losses belong to every third sample, in another order in each epoch.
    func split(_ epoch: Int) -> CredibleSplit {
      CredibleSplit(losses: Tensor((0..<15).map { Float(($0 + epoch) % 3 * 100 + ($0 * 7 % 15)) }), share: 0.34)
    }
    let model = BiasFree(classes: 4, Generator(seed: 1))
    let context = TrainingContext(precision: .float32, seed: 6)
    var reported: [[Double]] = []
    context.onEpoch = { reported.append($0.values.prefix(3).map(\.value)) }
    try settings.train(model, on: data, flip: flip, context: context, stage: "semi") { split($0) }

    let expected = BiasFree(classes: 4, Generator(seed: 1))
    var twin = MixMatchTwin(settings, stage: "semi", seed: 6, flip: flip)
    twin.run(expected, data) { epoch in
      (split(epoch).credible.array(Int64.self), split(epoch).other.array(Int64.self))
    }
    for (a, b) in zip(model.snapshot(), expected.snapshot()) {
      expectClose(a.tensor, b.tensor, tolerance: 1e-4, a.key)
    }
    #expect(twin.ratios.contains { $0 < 0.4 } && twin.ratios.contains { $0 > 0.6 } && twin.across > 3)
    #expect(reported.count == 2)
    for (found, losses) in zip(reported, twin.losses) {
      expectClose(found[0], losses.all, "loss")
      expectClose(found[1], losses.labeled, "labeled loss")
      expectClose(found[2], losses.unlabeled, "unlabeled loss")
    }
  }
}
