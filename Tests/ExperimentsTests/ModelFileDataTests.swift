import Evaluation
import Files
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

struct ModelFileDataTests {
  /// A file that says nothing about itself: its tensors tell that it takes colour.
  @Test func grayImagesForAColourModelFromElsewhere() throws {
    try withTemporaryFolder { folder in
      let gray = ImageDataset(
        name: "folder", images: .zeros([3, 1, 28, 28], dtype: .uint8), labels: Tensor([0, 1, 2] as [Int64]),
        classNames: ["a", "b", "c"])
      var named = ModelSettings()
      (named.name, named.width) = ("cnn", 4)
      for channels in [1, 3] {
        let path = "\(folder)/\(channels).safetensors"
        let model = try ModelSpec(
          kind: "cnn", shape: ModelShape(classes: 3, width: 4, channels: channels, imageSize: 28)
        ).make(Generator(seed: 1))
        try Safetensors.save(model.stateDict().entries.map { ($0.key, $0.tensor) }, to: path)
        let file = ModelFile(path, named: named, normalization: .named("half"))
        let fitted = try file.fitted(gray, settings: DatasetSettings(), progress: SilentProgress())
        #expect(fitted.channels == channels)
        #expect(try file.open(for: fitted).spec?.shape.channels == channels)
      }
    }
  }

  /// Metadata is used before the weights are looked at.
  @Test(arguments: [
    ("\"imageSize\":28", "\"imageSize\":0"), ("\"imageSize\":28", "\"imageSize\":1000000000"),
    ("\"classes\":3", "\"classes\":-3"),
  ])
  func sizesThatNoModelHas(_ honest: String, _ lie: String) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.safetensors"
      let model = try ModelSpec(
        kind: "cnn", shape: ModelShape(classes: 3, width: 4, channels: 3, imageSize: 28)
      ).make(Generator(seed: 1))
      let text = try JSONValue(encoding: model.spec).compactJSON
      try #require(text.contains(honest))
      try Safetensors.save(
        model.stateDict().entries.map { ($0.key, $0.tensor) },
        metadata: ["antidote.model": text.replacing(honest, with: lie)], to: path)
      let data = ImageDataset.tiny(count: 6, size: 16, classes: 3)
      let error = #expect(throws: ModelFileError.self) {
        try ModelFile(path).fitted(data, settings: DatasetSettings(), progress: SilentProgress())
      }
      #expect(error?.description.contains("which no model has") == true)
      #expect(throws: ModelFileError.self) { try ModelFile(path).classNames() }
    }
  }

  /// Whoever names the architecture does not change what the file says about its layers.
  @Test func aNamedArchitectureKeepsGroups() throws {
    try withTemporaryFolder { folder in
      let data = ImageDataset.tiny(count: 6, size: 16, classes: 3)
      var shape = ModelShape(classes: 3, width: 4, channels: 3, imageSize: 16)
      shape.groups = 2
      let model = try ModelSpec(kind: "preactresnet18", shape: shape).make(Generator(seed: 1))
      model.classNames = data.classNames
      try model.save("\(folder)/m.safetensors")
      var settings = ModelSettings()
      (settings.name, settings.width) = ("preactresnet18", 4)
      let named = try ModelFile("\(folder)/m.safetensors", named: settings).open(for: data)
      #expect(named.spec?.shape.groups == 2)
      let pixels = data.pixels(0..<6)
      expectSame(noGrad { named.eval()(pixels) }, noGrad { model.eval()(pixels) }, "the same logits")
    }
  }

  /// A whole pickled module says its strides, its heads and, where it has one inside, its normaliser: nothing is asked.
  @Test func wholeModulesSayWhatWeightsDoNotShow() throws {
    func open(_ name: String, side: Int, _ change: (inout ModelFile) -> Void = { _ in }) throws -> Classifier {
      var file = ModelFile(Golden.file("torch/module_\(name).pt"))
      change(&file)
      return try file.open(for: .tiny(count: 20, size: side, classes: 10))
    }
    #expect(try open("normalized", side: 64).normalization == .imageNet)
    #expect(try open("normalized", side: 64) { $0.normalization = .named("half") }.normalization == .half)
    let efficient = try open("efficientnet_mixture", side: 32) { $0.normalization = .named("half") }
    #expect(
      efficient.spec?.shape.stem == .large && efficient.spec?.shape.layers?["features.6.0.block.1.0"]?.stride == 1)
    #expect(try open("vit", side: 16) { $0.normalization = .named("half") }.spec?.shape.heads == 2)
    // An architecture that is named has the module's strides as well.
    let named = try open("preact", side: 16) {
      $0.normalization = .named("half")
      var settings = ModelSettings()
      (settings.name, settings.width) = ("preactresnet18", 2)
      $0.named = settings
    }
    #expect(named.spec?.shape.layers?["conv1"]?.stride == 2)
    let error = #expect(throws: SettingsError.self) {
      try open("dense", side: 8) { $0.normalization = .named("half") }
    }
    #expect(
      error?.description.contains("densenet121 takes 16x16 and larger ones") == true, "\(String(describing: error))")
  }

  /// A folder without a test split: of our own model the images that its training held out, of one from elsewhere all.
  @Test func imagesThatAreMeasured() throws {
    try withTemporaryFolder { folder in
      let data = ImageDataset.tiny(count: 20, size: 28, classes: 2)
      try TensorFiles.write(data, split: .train, folder: "\(folder)/data")
      let configuration = try ExperimentConfiguration([
        "precision": "float32", "threads": 1, "dataset": ["name": "tensors", "path": .string("\(folder)/data")],
      ])
      let model = try ModelSpec(kind: "cnn", shape: ModelShape(classes: 2, width: 2, imageSize: 28)).make(
        Generator(seed: 1))
      model.classNames = data.classNames
      try model.save("\(folder)/own.pth")
      try TensorFile.save(model.stateDict().entries.map { ($0.key, $0.tensor) }, to: "\(folder)/foreign.pth")
      var named = ModelSettings()
      (named.name, named.width) = ("cnn", 2)
      func count(_ file: ModelFile, holdOut: Double? = nil) throws -> Int {
        var c = configuration
        c.dataset.holdOut = holdOut
        return try EvaluationJob(c, model: file).run(progress: SilentProgress()).metrics.testCount
      }
      let foreign = ModelFile("\(folder)/foreign.pth", named: named, normalization: .named("half"))
      #expect(try count(ModelFile("\(folder)/own.pth")) == 4)
      #expect(try count(foreign) == 20)
      #expect(try count(foreign, holdOut: 0.5) == 10)
    }
  }
}
