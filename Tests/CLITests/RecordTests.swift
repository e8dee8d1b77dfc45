import Foundation
import TestFiles
import Testing

/// `--record`: folders of other programs on the command line.
struct RecordTests {
  private static let peers = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Goldens/peers").path
  private static let record = "\(peers)/backdoorbench/record/patch"
  private static let data = ["--dataset", "tensors", "--data", "\(peers)/clean", "--precision", "float32"]

  @Test func aRecordInPlaceOfAModel() throws {
    try withTool { tool in
      let said = try tool.succeed(["evaluate", "--record", Self.record] + Self.data)
      for words in [
        "trigger stored images: all classes to 1 (green)", "66.7%", "33.3% of 3 images with other triggers",
      ] {
        #expect(said.contains(words), "\(said)")
      }
      let judged = try tool.succeed(
        [
          "defend", "--record", Self.record, "--defense", "spectral", "--set", "defense.rule=percentile", "--out",
          "samples.csv",
        ] + Self.data)
      #expect(judged.contains("poisoned samples rejected: ") && judged.contains(" of 4 ("), "\(judged)")
      try tool.refuse(["evaluate", "--record", Self.record], ["clean images of cifar10", "--data path/to/data"])
      try tool.refuse(["evaluate"] + Self.data, ["--model", "--record"])
      try tool.refuse(
        ["export", "--model", "m.safetensors", "--format", "backdoorbench", "--out", "record/x"], ["--poison"])
      try tool.refuse(
        [
          "export", "--model", "m.safetensors", "--format", "backdoorbench", "--poison", "poison.json", "--out",
          "record/x",
        ] + Self.data, ["as its file describes it"])
      try tool.refuse(["evaluate", "--record", Self.peers] + Self.data, ["holds no experiment", "BackdoorBench"])
      // Other programs' folders say which images they are of.
      let round = try tool.run(["evaluate", "--record", "\(Self.peers)/trojai/models/id-00000000", "--json"])
      #expect(round.output.contains("\"triggeredCount\": 6"), "\(round.errors)")
    }
  }
}
