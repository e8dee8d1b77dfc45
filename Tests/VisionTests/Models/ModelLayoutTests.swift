import Files
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

/// What is written in the place of a file from elsewhere has that file's keys, types and container.
@Suite struct ModelLayoutTests {
  private let x = Generator(seed: 5).uniform([2, 3, 32, 32])

  /// TorchVision's names under `module.` in a checkpoint, of which Antidote makes another one.
  @Test func aCheckpointComesBack() throws {
    let folder = try TemporaryFolder(), path = folder.path("in.pth"), out = folder.path("out.pth")
    let model = try ModelSpec(kind: "resnet18", shape: ModelShape(classes: 3, width: 2)).make(Generator(seed: 1)).eval()
    func foreign(_ key: String) -> String {
      "module." + key.replacing("shortcut", with: "downsample").replacing("linear", with: "fc")
    }
    let entries = model.stateDict().entries.map { key, tensor in
      (key: foreign(key), tensor: key == "linear.bias" ? noGrad { tensor.to(.float16) } : tensor)
    }
    // One more entry, which the user leaves out.
    try TensorFile.save(entries + [(key: "module.extra.scale", tensor: .ones([2]))], to: path)
    let read = try TensorFile.load(path)
    #expect(read.contents.tensors.map(\.key) == entries.map(\.key) + ["module.extra.scale"])
    #expect(try TensorFile.metadata(of: path).isEmpty)

    var options = ModelFileOptions()
    options.ignored = ["module.extra"]
    let found = try RecognizedModel(options.outline(of: path).entries, path: path)
    options.naming = found.naming
    let opened = try Classifier.open(path, as: ModelSpec(kind: found.kind, shape: found.shape), options: options)
    opened.normalization = .dbd
    opened.classNames = ["a", "b", "c"]
    noGrad { for (key, tensor) in opened.stateDict().entries where key == "linear.weight" { tensor.mul_(2) } }
    let copy = try opened.copied().eval()
    let notes = try #require(copy.layout).notes
    #expect(notes == ["1 entries that are no part of the model are written as they were"])
    for out in [out, folder.path("out.safetensors")] {
      try copy.save(out)
      let written = try TensorFile.load(out).contents
      let byKey = Dictionary(uniqueKeysWithValues: written.tensors.map { ($0.key, $0.tensor) })
      #expect(Set(byKey.keys) == Set(read.contents.tensors.map(\.key)))
      if out.hasSuffix("pth") { #expect(written.tensors.map(\.key) == read.contents.tensors.map(\.key)) }
      #expect(byKey["module.fc.bias"]?.dtype == .float16 && byKey["module.fc.weight"]?.dtype == .float32)
      expectSame(try #require(byKey["module.extra.scale"]), .ones([2]), "kept")
      expectSame(
        try #require(byKey["module.layer2.0.downsample.0.weight"]),
        try #require(copy.stateDict()["layer2.0.shortcut.0.weight"]), "weights")
      // It says what it is, so that it opens without a word.
      var plain = ModelFileOptions()
      plain.ignored = ["module.extra"]
      let again = try Classifier.open(out, options: plain).eval()
      #expect(again.normalization == .dbd && again.classNames == ["a", "b", "c"] && again.spec == copy.spec)
      #expect(try ModelSpec.stored(in: out) == copy.spec && Classifier.storedClassNames(in: out) == ["a", "b", "c"])
      expectSame(noGrad { again(x) }, noGrad { copy(x) }, "logits")
    }
  }

  /// A model of our own in PyTorch's format: keys of the zoo, and all that safetensors say.
  @Test func aModelOfOurOwn() throws {
    let folder = try TemporaryFolder()
    let model = try ModelSpec(
      kind: "cnn", shape: ModelShape(classes: 3, width: 2, imageSize: 32, normalization: .half)
    ).make(Generator(seed: 1)).eval()
    for ending in ["pth", "PT", "bin", "tar", "ckpt"] {
      let path = folder.path("m.\(ending)")
      try model.save(path)
      #expect(try TensorFile.isPyTorch(path))
      #expect(try TensorFile.outline(path).entries.map(\.key) == model.stateDict().keys)
      let again = try Classifier.open(path).eval()
      #expect(again.spec == model.spec)
      expectSame(noGrad { again(x) }, noGrad { model(x) }, ending)
    }
    try model.save(folder.path("m"))
    #expect(try !TensorFile.isPyTorch(folder.path("m")))
    // Our own safetensors have our own layout.
    #expect(try Classifier.open(folder.path("m")).layout == nil)
  }
}
