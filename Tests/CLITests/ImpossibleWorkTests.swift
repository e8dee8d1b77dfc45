import Foundation
import Testing

/// Work that cannot be done: it stops with the reason, and leaves nothing under its final name.
struct ImpossibleWorkTests {
  @Test func aRateAboveWhatTheClassHolds() throws {
    try withTool { tool in
      try tool.refuse(
        ["attack", "--out", "poisoned", "--set", "attack.mapping=clean-label", "--set", "attack.rate=0.5"] + Tool.tiny,
        ["attack.rate 0.5 is more than target class 0 can hold", "The largest possible rate is 0.1"])
      try tool.refuse(
        ["attack", "--out", "poisoned", "--set", "attack.target=12"] + Tool.tiny, ["class 12 does not exist", "0 to 9"])
      #expect(try tool.files() == [])
    }
  }

  @Test func aLossThatExplodes() throws {
    try withTool { tool in
      let wild = ["recipe.learningRate=100", "recipe.weightDecay=1", "recipe.schedule=constant", "recipe.batch=8"]
        .flatMap {
          ["--set", $0]
        }
      let arguments = ["--out", "out", "--epochs", "1", "--model", "cnn", "--width", "4"] + Tool.tiny + wild
      try tool.refuse(["train"] + arguments, ["train, epoch 1: the loss became", "Lower the learning rate"])
      #expect(try tool.files() == [])
      try tool.refuse(["run", "--attack", "none", "--defense", "none"] + arguments, ["the loss became"])
      let record = try String(decoding: tool.data("out/record.json"), as: UTF8.self)
      #expect(record.contains("\"failed\"") && record.contains("the loss became"))
    }
  }

  /// A limit on file sizes stands for a full disk: both are an error of the system in the middle of a write.
  @Test func aDiskThatHoldsNoMore() throws {
    try withTool { tool in
      let limit = 8 * 1024
      try tool.refuse(
        ["attack", "--out", "poisoned"] + Tool.tiny, ["cannot write poisoned/train.safetensors", "ulimit -f"],
        fileLimit: limit)
      try tool.refuse(
        ["train", "--out", "m.safetensors", "--epochs", "1"] + Tool.tiny + Tool.tinyModel,
        ["cannot write m.safetensors", "ulimit -f"],
        fileLimit: limit)
      #expect(try tool.files() == [])
    }
  }

  @Test func aFolderThatCannotBeWritten() throws {
    try withTool { tool in
      try tool.write("", to: "file")
      for command in [["attack"], ["train"] + Tool.tinyModel] {
        try tool.refuse(command + ["--out", "file/out"] + Tool.tiny, ["file"])
        try tool.refuse(command + ["--out", "/proc/out"] + Tool.tiny, ["/proc/out"])
      }
      try tool.refuse(["run", "--out", "/proc/out"] + Tool.tiny, ["/proc/out"])
      try tool.refuse(
        ["train", "--out", "m", "--work", "file"] + Tool.tiny + Tool.tinyModel, ["file is a file, not a folder"])
      #expect(try tool.files() == ["file"])
    }
  }
}
