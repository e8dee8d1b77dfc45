import Backdoor
import Files
import Foundation
import Support
import TestData
import TestFiles
import TestSupport
import Testing
import Torch
import TorchNN
import Vision

@testable import Experiments

/// A poisoned data set and a model as a run of BackdoorBench, which is read again.
@Suite struct RecordJobTests {
  private let folder: TemporaryFolder
  private let train = ImageDataset.tiny(count: 24, size: 32, classes: 10, seed: 1, name: "tensors")
  private let test = ImageDataset.tiny(count: 12, size: 32, classes: 10, seed: 2, name: "tensors")

  /// A folder of `antidote attack` that says that its images are the first ones of CIFAR-10.
  init() throws {
    folder = try TemporaryFolder()
    try TensorFiles.write(train, split: .train, folder: folder.path("data"))
    try TensorFiles.write(test, split: .test, folder: folder.path("data"))
    let configuration = try ExperimentConfiguration([
      "precision": "float32", "threads": 1, "device": "cpu", "attack": ["rate": 0.25, "target": 3],
      "dataset": ["name": "tensors", "path": .string(folder.path("data"))],
    ])
    _ = try PoisoningJob(configuration, output: folder.path("poisoned")).run(progress: SilentProgress())
    try say(["name": "cifar10", "train": 24])
  }

  private var manifest: String { folder.path("poisoned/poison.json") }

  /// Changes what `poison.json` says about the data set.
  private func say(_ dataset: JSONValue) throws {
    var tree = try JSONValue(json: FileSystem.read(manifest), source: manifest)
    tree["dataset"] = SettingsTree.merge(try SettingsTree.encode(DatasetSettings()), dataset)
    try folder.write("poisoned/poison.json", tree.prettyJSON)
  }
  private func model(
    _ name: String, _ normalization: Normalization = .cifar10, stem: Stem? = .large, classes: Int = 10
  ) throws -> ModelFile {
    var shape = ModelShape(classes: classes, width: 32, channels: 3, imageSize: 32, normalization: normalization)
    shape.stem = stem
    let model = try ModelSpec(kind: "mobilenet_v2", shape: shape).make(Generator(seed: 1))
    if classes == 10 { model.classNames = train.classNames }
    try model.save(folder.path(name))
    return ModelFile(folder.path(name))
  }
  private func job(_ model: ModelFile, _ name: String = "record/ours") -> RecordJob {
    RecordJob(model: model, manifest: manifest, output: folder.path(name))
  }
  private func refusal(_ model: ModelFile) -> String {
    do {
      try job(model).run(progress: SilentProgress())
      return ""
    } catch { return "\(error)" }
  }

  @Test func whatIsWrittenIsRead() throws {
    let file = try model("m.safetensors")
    let result = try job(file).run(progress: SilentProgress())
    #expect(result.model == "mobilenet_v2" && result.train == 6 && result.dataPath == "./data/cifar10")
    #expect(
      try FileSystem.list(folder.path("record/ours")) == ["attack_result.pt", "bd_test_dataset", "bd_train_dataset"])
    let record = try RecordFolder(folder.path("record/ours"))
    let poisoned = try Safetensors.load(folder.path("poisoned/train.safetensors"))
    let triggered = try Safetensors.load(folder.path("poisoned/test-triggered.safetensors"))
    let found = try record.poisoned(train, DatasetSettings())
    expectSame(found.data.images, try #require(poisoned["images"]))
    expectSame(found.data.labels, try #require(poisoned["labels"]))
    #expect(found.indices == (try PoisonManifest(contentsOf: manifest)).samples.map(\.index) && found.covers.isEmpty)
    let stored = try #require(try record.triggered(test))
    let places = try #require(triggered["positions"])
    expectSame(stored.images[places], try #require(triggered["images"]))
    expectSame(stored.labels[places], try #require(triggered["targets"]))
    #expect(stored.labelArray().count { $0 == -1 } == 12 - result.test, "images of the target class have no trigger")

    // Keys as TorchVision has them, and all that the file needs to be read here.
    let own = try record.model(), spec = try #require(try ModelSpec.stored(in: own))
    #expect(spec.kind == "mobilenet_v2" && spec.shape.usedStem == .large)
    #expect(try TensorFile.outline(own).entries.first?.key == "features.0.0.weight")
    #expect(Classifier.storedClassNames(in: own) == train.classNames)
    expectSame(
      try Classifier.open(own).snapshot().map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 },
      try Classifier.open(file.path).snapshot().map { ($0.key, $0.tensor) }.sorted { $0.0 < $1.0 }, "weights")
    #expect(throws: JobError.self) { try job(file).run(progress: SilentProgress()) }
  }

  /// BackdoorBench builds networks by name and normalises by the data set's name: anything else would be misread.
  @Test func whatBackdoorBenchCannotHave() throws {
    let good = try model("m.safetensors")
    #expect(refusal(try model("a.safetensors", .imageNet)).contains("model.normalization=cifar10"))
    #expect(refusal(try model("b.safetensors", stem: .small)).contains("model.stem=large"))
    #expect(refusal(try model("c.safetensors", classes: 7)).contains("7 classes"))
    for (dataset, words): (JSONValue, String) in [
      (["name": "stl10"], "cifar10, cifar100, gtsrb, tiny-imagenet"), (["name": "gtsrb", "train": 24], "were drawn"),
      (["name": "cifar10"], "50,000"), (["name": "tiny-imagenet"], "dataset.size=64"),
    ] {
      try say(dataset)
      #expect(refusal(good).contains(words), "\(dataset.compactJSON): \(refusal(good))")
    }
    try say(["name": "cifar10", "train": -5])
    #expect(refusal(good).contains("dataset.train"), "\(refusal(good))")
    try say(["name": "cifar10", "train": 24])
    var wide = ModelFile(folder.path("m.safetensors"))
    wide.width = 99
    #expect(refusal(wide).contains("model.width is 99"))
    let triggered = try Safetensors.load(folder.path("poisoned/test-triggered.safetensors"))
    for (key, odd) in [
      ("images", try #require(triggered["images"]).to(.float32)), ("labels", Tensor([Int64(3)], shape: [])),
      ("positions", try #require(triggered["positions"]).to(.float32)),
    ] {
      let tensors = triggered.tensors.map { ($0.key, $0.key == key ? odd : $0.tensor) }
      try TensorFile.save(tensors, to: folder.path("poisoned/test-triggered.safetensors"))
      #expect(refusal(good).contains("do not belong together"), "\(key)")
    }
    try folder.remove("poisoned/test-triggered.safetensors")
    #expect(refusal(good).contains("not beside it"))
    #expect(!FileSystem.exists(folder.path("record/ours")), "nothing half-written stays")
  }

  /// Paths begin at BackdoorBench's own folder, in which it runs.
  @Test func placesInTheRecord() {
    #expect(RecordJob.place("/a/BackdoorBench/record/run") == "./record/run")
    #expect(RecordJob.place("/a/record/BackdoorBench/record/x/run") == "./record/x/run")
    #expect(RecordJob.place("/a/elsewhere/run") == "./record/run")
  }

  /// There the validation images of Tiny ImageNet lie by class; all others keep their order.
  @Test func ordersOfSplits() {
    let labels = [2, 0, 1, 0]
    #expect(BackdoorBench.order(labels, of: "tiny-imagenet", isTest: true) == [1, 3, 2, 0])
    #expect(BackdoorBench.order(labels, of: "tiny-imagenet", isTest: false) == [0, 1, 2, 3])
    #expect(BackdoorBench.order(labels, of: "cifar10", isTest: true) == [0, 1, 2, 3])
  }

  // MARK: GTSRB

  /// Images of 43 classes as BackdoorBench unpacks them: `data/gtsrb/Train/<class>` and `data/gtsrb/Test`.
  private func writeSigns(_ root: String) throws {
    let header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
    func image(_ label: Int, _ number: Int, side: Int) -> [UInt8] {
      Array("P6 \(side) \(side) 255\n".utf8)
        + (0..<3 * side * side).map { UInt8((label * 5 + number * 3 + $0 % 97) & 255) }
    }
    for label in 0..<43 {
      let name = String(repeating: "0", count: label < 10 ? 4 : 3) + "\(label)"
      // Sizes differ, which the data set's own size makes equal.
      try folder.write("\(root)/Train/\(name)/00000_00000.ppm", image(label, 0, side: 28 + label % 5))
      let side = 28 + label % 5
      try folder.write(
        "\(root)/Train/\(name)/GT-\(name).csv", header + "00000_00000.ppm;\(side);\(side);2;2;20;20;\(label)\n")
    }
    let labels = [7, 0, 42, 3, 7]
    for (number, label) in labels.enumerated() {
      try folder.write("\(root)/Test/0000\(number).ppm", image(label, 9, side: 30))
    }
    try folder.write(
      "\(root)/Test/GT-final_test.csv",
      header + labels.enumerated().map { "0000\($0).ppm;30;30;2;2;20;20;\($1)\n" }.joined())
  }

  /// A run whose clean images lie where BackdoorBench keeps them is opened by its folder alone; 43 classes in their order,
  /// no normaliser, images of 32 pixels.
  @Test func signsInBackdoorBenchsPlace() throws {
    try writeSigns("bench/data/gtsrb")
    let configuration = try ExperimentConfiguration([
      "precision": "float32", "threads": 1, "device": "cpu", "attack": ["rate": 0.1, "target": 3],
      "dataset": ["name": "gtsrb", "path": .string(folder.path("bench/data/gtsrb"))],
    ])
    _ = try PoisoningJob(configuration, output: folder.path("signs")).run(progress: SilentProgress())
    var shape = ModelShape(classes: 43, width: 32, channels: 3, imageSize: 32)
    shape.stem = .large
    let model = try ModelSpec(kind: "mobilenet_v2", shape: shape).make(Generator(seed: 1)).eval()
    try model.save(folder.path("signs.safetensors"))
    let job = RecordJob(
      model: ModelFile(folder.path("signs.safetensors")), manifest: folder.path("signs/poison.json"),
      output: folder.path("bench/record/signs"))
    let result = try job.run(progress: SilentProgress())
    #expect(result.dataset == "gtsrb" && result.dataPath == "./data/gtsrb" && result.train == 4 && result.test == 4)

    let record = try RecordFolder(folder.path("bench/record/signs"))
    #expect(record.settings.map(\.key) == ["dataset.name", "dataset.path"])
    #expect(record.settings[0].value == "gtsrb")
    let tree = try SettingsTree.apply(
      record.settings.map { "\($0.key)=\($0.value.compactJSON)" },
      to: ["precision": "float32", "threads": 1, "device": "cpu", "attack": "none"])
    let settings = try ExperimentConfiguration(tree).dataset
    let splits = try DatasetSplits.load(settings)
    #expect(splits.train.labelArray() == Array(0..<43) && splits.test?.labelArray() == [7, 0, 42, 3, 7])
    #expect(splits.train.height == 32 && splits.train.classNames.count == 43)
    let poison = try PoisonManifest(contentsOf: job.manifest)
    let found = try record.poisoned(splits.train, settings)
    #expect(found.indices == poison.samples.map(\.index) && found.indices.count == 4)
    #expect(found.indices.allSatisfy { found.data.labelArray()[$0] == 3 })
    let stored = try Safetensors.load(folder.path("signs/train.safetensors"))
    expectSame(found.data.images, try #require(stored["images"]), "poisoned images")
    // The test image of the target class has no trigger.
    #expect(try record.triggered(#require(splits.test))?.labelArray() == [3, 3, 3, -1, 3])
    let file = try record.completed(ModelFile(record.model()))
    #expect(try file.open(for: splits.train).normalization == Normalization.none)

    // One image fewer than there are: some were taken from the attacker.
    try folder.remove("bench/data/gtsrb/Test")
    try folder.remove("bench/data/gtsrb/Train")
    var less = job
    less.output = folder.path("bench/record/less")
    let error = #expect(throws: (any Error).self) { try less.run(progress: SilentProgress()) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("gtsrb"))
  }
}
