import Backdoor
import Evaluation
import Files
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

@testable import Experiments

/// Folders of other programs, written by `Tests/Goldens/make_peers.py`, with what PyTorch makes of them.
@Suite struct RecordFolderTests {
  private struct Expected: Decodable {
    var accuracy: Double?
    var attackSuccessRate: Double?
    var robustAccuracy: Double?
    var cleanTargetRate: Double?
    var crossAccuracy: Double?
    var triggeredCount: Int?
    var poisoned: [Int]?
    var covers: [Int]?
    var labels: [Int]?
    var trainSum: [Int]?
    var middleSum: Int?
  }

  private static let goldens = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Goldens")
  private static let peers = goldens.appendingPathComponent("peers").path
  private static let patch = "\(peers)/backdoorbench/record/patch"
  private static let toolbox = "\(peers)/toolbox/poisoned_train_set/cifar10/badnet_0.100_poison_seed=0"

  private func expected(_ name: String) throws -> Expected {
    let data = try Data(contentsOf: Self.goldens.appendingPathComponent("peers.json"))
    return try #require(try JSONDecoder().decode([String: Expected].self, from: data)[name])
  }
  private func configuration(_ settings: [(key: String, value: JSONValue)], _ changes: JSONValue = [:]) throws
    -> ExperimentConfiguration
  {
    let base: JSONValue = [
      "precision": "float32", "threads": 1, "device": "cpu", "recipe": ["batch": 6, "epochs": 1],
      "model": ["name": "cnn", "width": 2], "attack": "none", "evaluation": ["riskSamples": 0],
    ]
    let tree = try SettingsTree.apply(
      settings.map { "\($0.key)=\($0.value.compactJSON)" }, to: SettingsTree.merge(base, changes))
    return try ExperimentConfiguration(tree)
  }
  private var clean: [(key: String, value: JSONValue)] {
    [("dataset.name", "tensors"), ("dataset.path", .string("\(Self.peers)/clean"))]
  }
  private func evaluate(_ path: String, _ settings: [(key: String, value: JSONValue)]) throws -> EvaluationJob.Result {
    let record = try RecordFolder(path)
    let file = try record.completed(ModelFile(record.model()))
    return try EvaluationJob(configuration(settings), model: file, triggers: .record(record))
      .run(progress: SilentProgress())
  }
  /// Sums of each image, which tell images apart.
  private func sums(_ data: ImageDataset) -> [Int] {
    data.images.to(.int64).flattened(1).sum([1]).array(Int64.self).map(Int.init)
  }

  // MARK: BackdoorBench

  @Test func evaluatesABackdoorBenchRecord() throws {
    let found = try evaluate(Self.patch, clean), wanted = try expected("patch")
    #expect(found.metrics.accuracy == wanted.accuracy && found.metrics.testCount == 18)
    #expect(found.metrics.attackSuccessRate == wanted.attackSuccessRate)
    #expect(found.metrics.robustAccuracy == wanted.robustAccuracy)
    #expect(found.metrics.cleanTargetRate == wanted.cleanTargetRate)
    #expect(found.metrics.triggeredCount == wanted.triggeredCount && found.metrics.poisonAccuracy == nil)
    #expect(found.crossAccuracy == wanted.crossAccuracy && found.crossCount == 3)
    #expect(found.triggers == ["stored images: all classes to 1 (green)"])
    #expect(found.normalization == nil, "BackdoorBench's own normaliser of the data set")
  }

  @Test func imagesInTheFileItself() throws {
    let path = "\(Self.peers)/backdoorbench/record/memory"
    let found = try evaluate(path, clean), wanted = try expected("memory")
    #expect(found.metrics.attackSuccessRate == wanted.attackSuccessRate)
    #expect(found.metrics.triggeredCount == 18 && found.triggers == ["stored images: each class y to y + 1"])
    #expect(found.crossAccuracy == nil)
    let train = try ImageDataset.load(configuration(clean).dataset, .train)
    let error = #expect(throws: JobError.self) { try RecordFolder(path).poisoned(train, DatasetSettings()) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("bd_train is None"))
  }

  @Test func poisonedTrainingSet() throws {
    let train = try ImageDataset.load(configuration(clean).dataset, .train), wanted = try expected("patch")
    let found = try RecordFolder(Self.patch).poisoned(train, DatasetSettings())
    #expect(found.indices == wanted.poisoned && found.covers == wanted.covers)
    #expect(found.data.labelArray() == wanted.labels && sums(found.data) == wanted.trainSum)
    #expect(found.trueLabels.array(Int64.self) == train.labels.array(Int64.self))
    let file = try #require(found.data.sources)[5].file
    #expect(file == "\(Self.patch)/bd_train_dataset/2/5.png" && FileSystem.isFile(file))
    #expect(found.data.sources?[2].row == 2, "an image that was left as it is")
  }

  /// The data set that was poisoned, in its order, and no other.
  @Test func anotherDataSetIsRefused() throws {
    let record = try RecordFolder(Self.patch)
    let test = try ImageDataset.load(configuration(clean).dataset, .test)
    func refusal(_ data: ImageDataset) -> String {
      do {
        _ = try record.triggered(data)
        return ""
      } catch { return "\(error)" }
    }
    #expect(refusal(test).isEmpty)
    #expect(refusal(test.subset(Array((0..<18).reversed()))).contains("another order"))
    var own = test
    own.name = "tensors"
    #expect(refusal(own.prefix(9)).contains("18 test images"), "files of one's own, which are drawn")
    let fewer = ImageDataset(
      name: "cifar10", images: test.images[0..<9], labels: test.labels[0..<9], classNames: test.classNames)
    #expect(
      try record.triggered(fewer)?.labelArray() == [1, -1, 1, 1, -1, 1, 1, -1, 1], "the first images of a published set"
    )
    var more = test
    more.name = "cifar10"
    more = more.subset(Array(0..<18) + [0])
    #expect(refusal(more).contains("dataset.test=18"))
    let named = ImageDataset(name: "x", images: test.images, labels: test.labels, classNames: ["a", "b", "c", "d"])
    #expect(refusal(named).contains("3 classes"))
    #expect(refusal(test.resized(to: 8)).contains("16x16"))
  }

  /// Its own model purified by its own triggers, and written as its own file.
  @Test func purifiesARecord() throws {
    try withTemporaryFolder { folder in
      let record = try RecordFolder(Self.patch)
      let c = try configuration(
        clean, ["defense": ["name": "ft", "epochs": 1, "batch": 8, "learningRate": 0.1], "clean": ["share": 0.5]])
      let job = DefenseJob(
        c, model: try record.completed(ModelFile(record.model())), triggers: .record(record),
        output: "\(folder)/defense_result.pt")
      let result = try job.run(progress: SilentProgress()), wanted = try expected("patch")
      #expect(
        result.before?.attackSuccessRate == wanted.attackSuccessRate && result.before?.accuracy == wanted.accuracy)
      #expect(result.after?.triggeredCount == 12 && result.after?.attackSuccessRate != wanted.attackSuccessRate)
      #expect(result.detection == nil && result.unmeasured == nil)
      let file = try TensorFile.load("\(folder)/defense_result.pt")
      #expect(file.notes.contains("the state dict is the one under 'model'"))
      // What attacks keep beside the model is no part of what defenses write.
      for (path, holds) in [("\(folder)/defense_result.pt", false), (try record.model(), true)] {
        let found = try Data(FileSystem.read(path)).range(of: Data("clean_data".utf8)) != nil
        #expect(found == holds, "\(path)")
      }
      let own = try TensorFile.load(record.model()).contents
      #expect(file.contents.tensors.map(\.key) == own.tensors.map(\.key), "a network that is not made under that name")
      // What the file says about itself makes it usable without the record.
      let again = try EvaluationJob(c, model: ModelFile("\(folder)/defense_result.pt"), triggers: .record(record))
        .run(progress: SilentProgress())
      #expect(again.metrics == result.after)
    }
  }

  /// A filter sees the poisoned images, and the table says which they are.
  @Test func filtersARecord() throws {
    try withTemporaryFolder { folder in
      let record = try RecordFolder(Self.patch)
      let c = try configuration(clean, ["defense": ["name": "spectral"]])
      let job = DefenseJob(
        c, model: try record.completed(ModelFile(record.model())), triggers: .record(record),
        output: "\(folder)/samples.csv")
      let detection = try #require(try job.run(progress: SilentProgress()).detection)
      #expect(detection.poisonedCount == 4 && detection.coverCount == 1)
      #expect(detection.keptCount + detection.rejectedCount == 24)
      let table = try CSVTable(contentsOf: "\(folder)/samples.csv")
      #expect(table.header.suffix(2) == ["poisoned", "cover"])
      let rows = table.rows.map { $0.fields[table.header.firstIndex(of: "poisoned") ?? 0] }
      #expect(rows.indices.filter { rows[$0] == "1" } == [0, 1, 5, 9])
    }
  }

  // MARK: backdoor-toolbox

  @Test func toolboxAsADataSet() throws {
    let record = try RecordFolder(Self.toolbox), wanted = try expected("toolbox")
    #expect(record.settings.map(\.value) == ["toolbox", .string(Self.toolbox)])
    let c = try configuration(record.settings)
    let train = try ImageDataset.load(c.dataset, .train)
    #expect(train.labelArray() == wanted.labels && sums(train) == wanted.trainSum && train.classes == 10)
    #expect(train.name == "cifar10" && train.sources?[5].row == 5)
    let found = try record.poisoned(train, DatasetSettings())
    #expect(found.indices == [0, 5] && found.covers == [8] && found.data.labelArray() == wanted.labels)
    let test = try ImageDataset.load(c.dataset, .test)
    #expect(test.count == 18 && test.classes == 10)
    let metrics = try evaluate(Self.toolbox, record.settings).metrics
    #expect(metrics.accuracy == wanted.accuracy && metrics.attackSuccessRate == nil)
    // A defender's images are those of clean_split, of which none is poisoned.
    let settings = try #require(try record.cleanData(c.dataset))
    #expect(try ImageDataset.load(settings, .train).count == 12)
    #expect(try record.cleanData(configuration(clean).dataset) == nil)
  }

  /// The folders above it say the data set, and dots are none of them.
  @Test func aFolderThatIsNamedWithDots() throws {
    let name = Path.name(Self.toolbox)
    for path in ["\(Self.toolbox)/.", "\(Self.toolbox)/../\(name)/", "\(Path.parent(Self.toolbox))/./\(name)"] {
      let record = try RecordFolder(path)
      let c = try configuration(record.settings)
      #expect(c.dataset.name == "toolbox" && c.dataset.path == path)
      #expect(try ImageDataset.load(c.dataset, .test).count == 18)
      #expect(try record.cleanData(c.dataset) != nil)
      let train = try ImageDataset.load(c.dataset, .train)
      #expect(try record.poisoned(train, c.dataset).indices == [0, 5])
      #expect(try record.completed(ModelFile(record.model())).usualNormalization == .named("cifar10"))
    }
    #expect(RecordJob.place("record/../record/./run") == "./record/run")
  }

  /// Fewer images: those that are drawn, and which of them are poisoned.
  @Test func aPartOfTheTrainingSet() throws {
    let record = try RecordFolder(Self.toolbox)
    let whole = try ImageDataset.load(configuration(record.settings).dataset, .train)
    var c = try configuration(record.settings)
    c.dataset.train = 7
    // Another data set for the test images has the same training set.
    let other = try ImageDataset.load(configuration(clean, ["dataset": ["train": 7]]).dataset, .train)
    let named = ImageDataset(
      name: "cifar10", images: other.images, labels: other.labels, classNames: whole.classNames, sources: other.sources)
    for train in [try ImageDataset.load(c.dataset, .train), named] {
      let found = try record.poisoned(train, c.dataset)
      #expect(found.data.count == 7)
      let rows = try #require(found.data.sources).compactMap(\.row)
      #expect(found.indices.map { rows[$0] } == rows.filter { [0, 5].contains($0) })
      #expect(found.covers.map { rows[$0] } == rows.filter { $0 == 8 })
      #expect(sums(found.data) == sums(whole.subset(rows)) && Set(rows).count == 7)
    }
    // A draw that leaves some of both out.
    #expect(try record.poisoned(whole.subset([1, 5, 8]), c.dataset).indices == [1])
    #expect(try record.poisoned(whole.subset([1, 5, 8]), c.dataset).covers == [2])
  }

  /// The deprecated layout: PNG files in place of the tensor; and a folder without clean images beside it.
  @Test func toolboxOfFiles() throws {
    try withTemporaryFolder { root in
      let folder = "\(root)/poisoned_train_set/cifar10/blend"
      try FileSystem.createFolder("\(folder)/data")
      for name in ["labels", "poison_indices"] {
        try FileManager.default.copyItem(atPath: "\(Self.toolbox)/\(name)", toPath: "\(folder)/\(name)")
      }
      for index in 0..<12 {
        let source = "\(Self.peers)/toolbox/clean_set/cifar10/test_split/data/\(index).png"
        try FileManager.default.copyItem(atPath: source, toPath: "\(folder)/data/\(index).png")
      }
      let record = try RecordFolder(folder)
      #expect(record.settings.isEmpty && record.missingData.contains("--dataset cifar10"))
      var settings = DatasetSettings()
      (settings.name, settings.path) = ("toolbox", folder)
      let train = try ImageDataset.load(settings, .train)
      #expect(
        train.labelArray() == (try expected("toolbox")).labels && train.sources?[3].file.hasSuffix("data/3.png") == true
      )
      #expect(try record.poisoned(train, DatasetSettings()).covers.isEmpty)
      #expect(throws: JobError.self) { try record.model() }
      // Its training writes two files, and defenses more.
      let name = "full_base_aug_seed=2333.pt"
      for start in ["", "meta_info_", "cleansed_AC_", "defended_NC_"] {
        try AtomicFile.write("", to: "\(folder)/\(start)\(name)")
      }
      #expect(try RecordFolder(folder).model() == "\(folder)/\(name)")
      #expect(throws: DataError.self) { try ImageDataset.load(settings, .test) }
      #expect(throws: JobError.self) { try record.cleanData(settings) }
    }
  }

  // MARK: TrojAI

  @Test func trojAIModel() throws {
    let path = "\(Self.peers)/trojai/models/id-00000000"
    let record = try RecordFolder(path), wanted = try expected("trojai")
    #expect(try record.groundTruth() == true)
    let found = try evaluate(path, record.measuringSettings)
    #expect(found.metrics.accuracy == wanted.accuracy && found.metrics.testCount == 18)
    #expect(found.metrics.attackSuccessRate == wanted.attackSuccessRate && found.metrics.triggeredCount == 6)
    #expect(found.architecture?.kind == "resnet18" && found.architecture?.shape.normalization == Normalization.none)
    // To purify, a part is held out.
    #expect(try ImageDataset.load(configuration(record.settings).dataset, .train).count == 14)
    let error = #expect(throws: JobError.self) {
      try record.poisoned(ImageDataset.tiny(count: 3, size: 12, classes: 3), DatasetSettings())
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("does not hold the images"))
  }

  /// Other names of the folders, and two labels in a file.
  @Test func trojAIMitigationRounds() throws {
    try withTemporaryFolder { root in
      let folder = "\(root)/id-00000000", round = "\(Self.peers)/trojai/models/id-00000000"
      try FileManager.default.copyItem(atPath: round, toPath: folder)
      for (name, labels) in [
        ("clean", #"{"clean_label": 2}"#), ("poisoned", #"{"clean_label": 2, "poisoned_label": 1}"#),
      ] {
        let new = "\(folder)/new-\(name)-example-data"
        try FileManager.default.moveItem(atPath: "\(folder)/\(name)-example-data", toPath: new)
        for file in try FileSystem.list(new) where file.hasSuffix(".json") {
          try FileSystem.remove("\(new)/\(file)")
          try AtomicFile.write(labels, to: "\(new)/\(file)")
        }
      }
      let record = try RecordFolder(folder)
      let data = try ImageDataset.load(configuration(record.measuringSettings).dataset, .test)
      #expect(data.count == 18 && Set(data.labelArray()) == [2])
      #expect(try record.examples(size: nil).map { Set($0.labelArray()) } == [1])
      let file = "\(folder)/new-poisoned-example-data/0.json"
      try FileSystem.remove(file)
      try AtomicFile.write(#"{"label": 1}"#, to: file)
      let error = #expect(throws: DataError.self) { try record.examples(size: nil) }
      #expect("\(error.map { "\($0)" } ?? "")".contains("no number of a class, and none under 'poisoned_label'"))
    }
  }

  /// Labels in names, targets in config.json, and the middle of larger images.
  @Test func firstTrojAIRounds() throws {
    let path = "\(Self.peers)/trojai/models/id-00000001"
    let record = try RecordFolder(path)
    let data = try ImageDataset.load(configuration(record.measuringSettings).dataset, .test)
    #expect(data.labelArray() == [2] && data.height == 224 && data.width == 224)
    #expect(sums(data) == [try expected("trojai").middleSum])
    #expect(try record.examples(size: nil)?.labelArray() == [1])
    #expect(try record.examples(size: 32)?.height == 32)
  }

  @Test func otherFolders() throws {
    try withTemporaryFolder { folder in
      for (path, word) in [(folder, "holds no experiment"), ("\(folder)/none", "no such folder")] {
        let error = #expect(throws: JobError.self) { try RecordFolder(path) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(word))
      }
      // What the folder of another program says about a data set that nobody has here.
      let record = try RecordFolder(Self.patch)
      #expect(record.settings.map(\.key) == ["dataset.name"] && record.missingData.contains("--data"))
    }
  }
}
