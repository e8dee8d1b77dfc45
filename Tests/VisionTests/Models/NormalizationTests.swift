import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// What a model does to pixels before its first layer.
@Suite struct NormalizationTests {
  private let own = Normalization(mean: [0.1, 0.2, 0.3], standardDeviation: [0.5, 0.25, 1], channelOrder: .bgr)

  /// Means and deviations are those of red, green and blue in any order of the channels.
  @Test func channelOrder() throws {
    let shape = ModelShape(classes: 3, width: 3, imageSize: 8, normalization: own)
    let model = try ModelSpec(kind: "cnn", shape: shape).make(Generator(seed: 1)).eval()
    let x = Generator(seed: 2).uniform([2, 3, 8, 8])
    let by = { (values: [Float]) in Tensor(values, shape: [1, 3, 1, 1]) }
    let wanted = noGrad {
      model.logits(
        model.features(normalized: ((x - by(own.mean)) / by(own.standardDeviation)).flipped(1)).penultimate)
    }
    expectClose(noGrad { model(x) }, wanted, "bgr")
    // Another normaliser takes its place, in what the file says too.
    model.normalization = .none
    expectSame(
      noGrad { model(x) }, noGrad { model.logits(model.features(normalized: x).penultimate) }, "none")
    #expect(model.spec?.shape.normalization == Normalization.none)
    model.normalization = own
    let folder = try TemporaryFolder(), path = folder.path("m.safetensors")
    try model.save(path)
    let again = try Classifier.open(path).eval()
    #expect(again.normalization == own && own.name == "[0.1,0.2,0.3],[0.5,0.25,1.0]")
    expectClose(noGrad { again(x) }, wanted, "read again")
    let copy = try model.copied().eval()
    expectClose(noGrad { copy(x) }, wanted, "copied")
  }

  @Test func names() {
    for channels in [1, 3] {
      for (name, value) in Normalization.known(channels: channels) {
        #expect(value.name == name && (value.mean.isEmpty || value.mean.count == channels))
      }
    }
  }
}
