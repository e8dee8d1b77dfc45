import Backdoor
import Files
import Foundation
import Support
import TestFiles
import TestSupport
import Testing
import Torch
import Training
import Vision

@testable import Experiments

struct PoisonManifestTests {
  /// Format 1 called tasks by another name.
  @Test func formatOneIsRead() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/poison.json"
      let text = """
        {"format": 1, "antidote": "0.1.0", "attack": "badnets", "settings": {}, "seed": 7, "dataset": {"name": "folder"},
         "shape": {"channels": 3, "height": 32, "width": 32}, "classNames": ["a", "b"], "trainCount": 9,
         "implants": [{"name": "square white", "mapping": "all classes to 0"}],
         "samples": [{"index": 4, "implant": 0, "trueLabel": 1, "label": 0}]}
        """
      try AtomicFile.write(text, to: path)
      let manifest = try PoisonManifest(contentsOf: path)
      #expect(manifest.tasks.map(\.name) == ["square white"] && manifest.seed == 7)
      #expect(manifest.samples.map(\.task) == [0] && manifest.samples.map(\.index) == [4])
      try manifest.write(to: path)
      let again = try PoisonManifest(contentsOf: path)
      #expect(again.format == 3 && again.samples.count == 1 && again.covers.isEmpty)
      try AtomicFile.write(text.replacing("\"format\": 1", with: "\"format\": 4"), to: path)
      #expect(throws: JobError.self) { try PoisonManifest(contentsOf: path) }
    }
  }

  /// Each value that cannot be is named with the file, whether it was edited or is of something else.
  @Test(arguments: [
    (#""trainCount": 9"#, #""trainCount": -5"#, "trainCount is -5"),
    (#""index": 4"#, #""index": 9"#, "samples[0].index is 9"),
    (#""index": 4"#, #""index": -1"#, "samples[0].index is -1, expected 0 to 8"),
    (#""task": 0, "trueLabel": 1, "label": 0"#, #""task": 1, "trueLabel": 1, "label": 0"#, "samples[0].task is 1"),
    (#""label": 0"#, #""label": 2"#, "samples[0].label is 2, expected 0 to 1"),
    (#""covers": []"#, #""covers": [{"index": 5, "task": 0, "trueLabel": 7, "label": 1}]"#, "covers[0].trueLabel is 7"),
    (#"{"name": "t", "mapping": "m"}"#, "", "tasks is empty"),
    (
      #"{"name": "t", "mapping": "m"}"#, #"{"name": "t", "mapping": "m"}, {"name": "u", "mapping": "m"}"#,
      "make 1 triggers"
    ),
    (#""settings": {}"#, #""settings": {"size": -1}"#, "attack.size"), (#""badnets""#, #""badnetz""#, "badnetz"),
  ])
  func valuesThatCannotBe(_ old: String, _ new: String, _ words: String) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/poison.json"
      let text = """
        {"format": 3, "antidote": "0.1.0", "attack": "badnets", "settings": {}, "seed": 7, "dataset": {"name": "folder"},
         "shape": {"channels": 3, "height": 32, "width": 32}, "classNames": ["a", "b"], "trainCount": 9,
         "tasks": [{"name": "t", "mapping": "m"}], "covers": [],
         "samples": [{"index": 4, "task": 0, "trueLabel": 1, "label": 0}]}
        """
      let data = ImageDataset(
        name: "d", images: .zeros([2, 3, 32, 32], dtype: .uint8), labels: Tensor([0, 1] as [Int64]),
        classNames: ["a", "b"])
      try AtomicFile.write(text, to: path)
      #expect(try PoisonManifest(contentsOf: path).makeTasks(for: data, source: path).count == 1)
      let edited = text.replacing(old, with: new)
      try #require(edited != text)
      try AtomicFile.write(edited, to: path)
      let error = #expect(throws: JobError.self) {
        _ = try PoisonManifest(contentsOf: path).makeTasks(for: data, source: path)
      }
      #expect(error.map { "\($0)".contains(words) && "\($0)".contains(path) } == true, "\(String(describing: error))")
    }
  }

  /// The manifest numbers its target as its own classes; the data may have them in another order.
  @Test func targetsFollowTheClassesOfTheData() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/poison.json"
      func write(_ settings: String) throws {
        try AtomicFile.write(
          """
          {"format": 2, "antidote": "0.1.0", "attack": "badnets", "settings": \(settings), "seed": 7,
           "dataset": {"name": "folder"}, "shape": {"channels": 3, "height": 32, "width": 32},
           "classNames": ["cat", "dog", "owl"], "trainCount": 9, "tasks": [{"name": "t", "mapping": "m"}], "samples": []}
          """, to: path)
      }
      func mapping(_ names: [String]) throws -> LabelMapping? {
        let data = ImageDataset(
          name: "folder", images: .zeros([3, 3, 32, 32], dtype: .uint8), labels: Tensor([0, 1, 2] as [Int64]),
          classNames: names)
        let found = try TriggerSource.manifest(path: path).tasks(
          ExperimentConfiguration([:]), for: data, named: data.classNames)
        #expect(found.seed.root == 7)
        return found.tasks.first?.mapping
      }
      try write(#"{"target": 1}"#)
      #expect(try mapping(["cat", "dog", "owl"]) == .allToOne(target: 1))
      #expect(try mapping(["dog", "owl", "cat"]) == .allToOne(target: 0))
      #expect(throws: ClassNameError.self) { try mapping(["owl", "cat", "fox"]) }
      try write(#"{"mapping": "source-to-target", "source": 0, "target": 2}"#)
      #expect(try mapping(["owl", "dog", "cat"]) == .sourceToTarget(source: 2, target: 0))
      try write(#"{"mapping": "all-to-all"}"#)
      #expect(throws: JobError.self) { try mapping(["owl", "dog", "cat"]) }
    }
  }

  /// The picture that a trigger shows belongs to the run and to its triggers, wherever it lies.
  @Test func theTriggersPicture() throws {
    try withTemporaryFolder { folder in
      func draw(_ value: UInt8, _ name: String) throws {
        let pixels = [UInt8](repeating: value, count: 12)
        try Data(DecodedImage(width: 2, height: 2, channels: 3, pixels: pixels).encodePNG()).write(
          to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
      func configuration(_ name: String) throws -> ExperimentConfiguration {
        try ExperimentConfiguration([
          "dataset": ["name": "generated", "train": 40, "test": 10],
          "attack": ["name": "badnets", "pattern": "image", "image": .string("\(folder)/\(name)")],
        ])
      }
      try draw(10, "a.png")
      try draw(10, "b.png")
      try draw(200, "c.png")
      let c = try configuration("a.png")
      #expect(try c.runID() == configuration("b.png").runID() && c.runID() != configuration("c.png").runID())

      let data = try DatasetSplits.load(c.dataset).train
      func job(_ name: String) throws -> JSONValue {
        try configuration(name).identity(job: "attack", images: data, ["attack"])
      }
      #expect(try job("a.png") == job("b.png") && job("a.png") != job("c.png"))
      let attack = try #require(try c.makeAttack())
      let outcome = try attack.execute(AttackContext(train: data, seed: c.seed, training: TrainingContext()))
      let manifest = try PoisonManifest(outcome, attack: #require(c.attack), configuration: c)
      try FileSystem.createFolder("\(folder)/poison")
      let path = "\(folder)/poison/poison.json"
      try manifest.write(to: path)
      func stamped() throws -> Tensor {
        let tasks = try PoisonManifest(contentsOf: path).makeTasks(for: data, source: path)
        return tasks[0].trigger.stamp(data.images[0..<2], Generator(seed: 0))
      }
      let expected = try stamped()
      try draw(200, "a.png")
      #expect(throws: JobError.self) { try stamped() }
      try draw(10, "poison/a.png")
      expectSame(try stamped(), expected)
      try FileSystem.remove("\(folder)/a.png")
      expectSame(try stamped(), expected)
      try FileSystem.remove("\(folder)/poison/a.png")
      let error = #expect(throws: JobError.self) { try stamped() }
      #expect(error?.description.contains("which is not there") == true)
    }
  }

  /// A gray data set for a model of three channels: the trigger of one channel, on all.
  @Test func grayTriggersOnEqualChannels() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/poison.json"
      try AtomicFile.write(
        """
        {"format": 3, "antidote": "0.4.0", "attack": "badnets", "settings": {"pattern": "random"}, "seed": 7,
         "dataset": {"name": "mnist"}, "shape": {"channels": 1, "height": 8, "width": 8}, "classNames": ["a", "b"],
         "trainCount": 9, "tasks": [{"name": "t", "mapping": "m"}], "samples": [], "covers": []}
        """, to: path)
      let manifest = try PoisonManifest(contentsOf: path)
      let pixels = Generator(seed: 1).uniform([3, 1, 8, 8], 0, 255).to(.uint8)
      let gray = ImageDataset(name: "g", images: pixels, labels: Tensor([0, 1, 0] as [Int64]), classNames: ["a", "b"])
      let wide = try manifest.makeTasks(for: gray.withChannels(3), source: path)[0].trigger
      let narrow = try manifest.makeTasks(for: gray, source: path)[0].trigger
      let stamped = narrow.stamp(gray.images, Generator(seed: 0))
      expectSame(wide.stamp(gray.withChannels(3).images, Generator(seed: 0)), stamped.repeated(1, 3, 1, 1))
      expectSame(
        wide(gray.withChannels(3).images.unitPixels(), Generator(seed: 0)),
        narrow(pixels.unitPixels(), Generator(seed: 0)).repeated(1, 3, 1, 1))
      let colors = ImageDataset(
        name: "c", images: Generator(seed: 2).uniform([3, 3, 8, 8], 0, 255).to(.uint8), labels: gray.labels,
        classNames: ["a", "b"])
      #expect(throws: JobError.self) { try manifest.makeTasks(for: colors, source: path) }
    }
  }

  /// Triggers that map no class to another one measure nothing.
  @Test(arguments: [
    #"{"name": "badnets", "mapping": "all-to-all", "shift": 10}"#, #"{"name": "tact", "source": 1, "target": 1}"#,
    #"{"name": "badnets", "mapping": "source-to-target", "source": 0, "target": 0}"#,
  ])
  func mappingsToThemselves(attack: String) throws {
    let c = try ExperimentConfiguration(["attack": JSONValue(json: Array(attack.utf8))])
    let names = (0..<10).map { "\($0)" }
    let data = ImageDataset(
      name: "d", images: .zeros([10, 3, 32, 32], dtype: .uint8), labels: Tensor((0..<10).map { Int64($0) }),
      classNames: names)
    #expect(throws: JobError.self) { try TriggerSource.attack.tasks(c, for: data, named: names) }
  }

  /// Formats 1 and 2 know no cover samples, format 3 must have them.
  @Test func coversAreReadFromFormatThreeOn() throws {
    func manifest(format: Int, _ more: String) throws -> PoisonManifest {
      try withTemporaryFolder { folder in
        let text = """
          {"format": \(format), "antidote": "0.4.0", "attack": "wanet", "settings": {}, "seed": 7,
           "dataset": {"name": "folder"}, "shape": {"channels": 3, "height": 32, "width": 32},
           "classNames": ["a", "b"], "trainCount": 9, "tasks": [{"name": "warp", "mapping": "all classes to 0"}],
           "samples": [{"index": 4, "task": 0, "trueLabel": 1, "label": 0}]\(more)}
          """
        try AtomicFile.write(text, to: "\(folder)/poison.json")
        return try PoisonManifest(contentsOf: "\(folder)/poison.json")
      }
    }
    #expect(try manifest(format: 2, "").covers.isEmpty)
    let covers = try manifest(format: 3, ", \"covers\": [{\"index\": 6, \"task\": 0, \"trueLabel\": 1, \"label\": 1}]")
    #expect(covers.covers.map(\.index) == [6] && covers.samples.map(\.index) == [4])
    #expect(throws: JobError.self) { try manifest(format: 3, "") }
  }
}
