import Backdoor
import Files
import Support
import TestFiles
import Testing
import Torch
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

  /// The manifest numbers its target as its own classes; the data may have them in another order.
  @Test func targetsFollowTheClassesOfTheData() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/poison.json"
      func write(_ settings: String) throws {
        try AtomicFile.write(
          """
          {"format": 2, "antidote": "0.1.0", "attack": "badnets", "settings": \(settings), "seed": 7,
           "dataset": {"name": "folder"}, "shape": {"channels": 3, "height": 32, "width": 32},
           "classNames": ["cat", "dog", "owl"], "trainCount": 9, "tasks": [], "samples": []}
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
