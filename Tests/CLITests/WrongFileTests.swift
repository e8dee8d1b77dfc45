import Foundation
import Testing

/// Files that are missing, damaged, or of something else.
struct WrongFileTests {
  @Test func aTruncatedDataFile() throws {
    try withTool { tool in
      try FileManager.default.createDirectory(atPath: tool.path("c10"), withIntermediateDirectories: true)
      for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
        try tool.write("short", to: "c10/\(name)")
      }
      try tool.write(
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n", to: "c10/batches.meta.txt")
      for command in ["train", "attack"] {
        try tool.refuse(
          [command, "--dataset", "cifar10", "--data", "c10", "--out", "out"],
          ["c10/data_batch_1.bin: 5 bytes, expected 30,730,000", "truncated"])
      }
      #expect(try tool.files() == ["c10"])
    }
  }

  @Test func aWrongPath() throws {
    try withTool { tool in
      try FileManager.default.createDirectory(atPath: tool.path("photos"), withIntermediateDirectories: true)
      try tool.refuse(
        ["train", "--dataset", "folder", "--data", "photo", "--out", "m"],
        ["photo: no such file or folder", "Did you mean photos?"])
      try tool.refuse(
        ["train", "--dataset", "tensors", "--data", "photos", "--out", "m"], ["photos", "train.safetensors"])
      try tool.refuse(["train", "--dataset", "cifar10", "--out", "m"], ["dataset.path", "--data path/to/data"])
      try tool.refuse(["report", "photos"], ["photos", "no run"])
      #expect(try tool.files() == ["photos"])
    }
  }

  @Test func aModelWithoutItsImages() throws {
    try withTool { tool in
      let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens/torch/module.pt").path
      for command in [["evaluate"], ["defend", "--defense", "ft", "--out", "o"]] {
        try tool.refuse(
          command + ["--model", file] + Tool.tiny, ["name the images that the model is for", "--dataset"])
      }
      // An architecture that nothing here has; a file that would run a program.
      let data = ["--dataset", "generated"] + Tool.tiny
      try tool.refuse(
        ["evaluate", "--model", file] + data, ["no architecture that is known here has such keys", "module.pt"])
      try tool.refuse(
        ["evaluate", "--model", file.replacingOccurrences(of: "module", with: "hostile_reduce")] + data,
        ["asks for os.system", "will not be executed"])
      #expect(try tool.files().isEmpty)
    }
  }

  /// All in one folder, so that the model is trained once.
  @Test func aModelFileThatDoesNotFit() throws {
    try withTool { tool in
      try tool.succeed(["train", "--epochs", "0", "--out", "model.safetensors"] + Tool.tiny + Tool.tinyModel)
      let before = try tool.files()
      func evaluate(_ model: String, _ arguments: [String], _ words: [String]) throws {
        try tool.refuse(["evaluate", "--dataset", "generated", "--model", model] + Tool.tiny + arguments, words)
      }
      try evaluate("modle.safetensors", [], ["modle.safetensors: no such file", "Did you mean model.safetensors?"])
      try evaluate(
        "model.safetensors", ["--set", "model.name=resnet18", "--set", "model.width=8"],
        [
          "missing keys", "unexpected keys", "different tensors", "conv1.weight", "the file holds cnn, width 4",
          "asked for was resnet18, width 8",
        ])
      try evaluate("model.safetensors", ["--set", "model.depth=16"], ["model.depth", "none is named", "--model"])
      try evaluate(
        "model.safetensors", ["--set", "dataset.size=64"], ["images of 32 pixels", "64", "dataset.size=32"])
      try tool.data("model.safetensors").prefix(5000).write(to: URL(fileURLWithPath: tool.path("short.safetensors")))
      try evaluate("short.safetensors", [], ["short.safetensors", "truncated"])
      try tool.write("not json", to: "poison.json")
      try evaluate("model.safetensors", ["--poison", "poison.json"], ["poison.json"])
      // What stands already is never replaced.
      try tool.refuse(
        ["train", "--out", "model.safetensors"] + Tool.tiny + Tool.tinyModel,
        ["model.safetensors exists already", "--out"])
      try tool.refuse(
        ["defend", "--model", "model.safetensors", "--out", "model.safetensors"] + Tool.tiny,
        ["model.safetensors exists already"])
      #expect(try tool.files() == (before + ["poison.json", "short.safetensors"]).sorted())
    }
  }

  /// A file from elsewhere may claim anything about itself.
  @Test func aModelFileThatLiesAboutItself() throws {
    try withTool { tool in
      try tool.succeed(["train", "--epochs", "0", "--out", "model.safetensors"] + Tool.tiny + Tool.tinyModel)
      var bytes = try tool.data("model.safetensors")
      let honest = Data(#"\"width\":4"#.utf8), lie = Data(#"\"width\":9"#.utf8)
      let range = try #require(bytes.range(of: honest))
      bytes.replaceSubrange(range, with: lie)
      try bytes.write(to: URL(fileURLWithPath: tool.path("liar.safetensors")))
      try tool.refuse(["evaluate", "--model", "liar.safetensors"] + Tool.tiny, ["liar.safetensors", "fit"])
    }
  }
}
