import Files
import TestFiles
import Testing

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
      #expect(again.format == 2 && again.samples.count == 1)
      try AtomicFile.write(text.replacing("\"format\": 1", with: "\"format\": 3"), to: path)
      #expect(throws: JobError.self) { try PoisonManifest(contentsOf: path) }
    }
  }
}
