import Foundation
import Testing

/// Files and folders from elsewhere, and places that cannot be written: an error before anything is computed.
struct DependabilityTests {
  private static let train = ["train", "--epochs", "0"] + Tool.tiny + Tool.tinyModel

  /// A pipe without a writer would be waited for, a device read without end.
  @Test func pipesAndDevices() throws {
    try withTool { tool in
      try tool.succeed(Self.train + ["--out", "m.safetensors"])
      mkfifo(tool.path("pipe"), 0o600)
      for file in ["pipe", "/dev/zero"] {
        try tool.refuse(["evaluate", "--dataset", "generated", "--model", file] + Tool.tiny, ["pipe or a device"])
        try tool.refuse(["evaluate", "--model", "m.safetensors", "--poison", file] + Tool.tiny, ["pipe or a device"])
        try tool.refuse(Self.train + ["--config", file, "--out", "n"], ["pipe or a device"])
        for name in ["record.json", "metrics.jsonl"] {
          let folder = "run-\(file.count)-\(name)"
          try FileManager.default.createDirectory(atPath: tool.path(folder), withIntermediateDirectories: true)
          try FileManager.default.createSymbolicLink(
            atPath: tool.path("\(folder)/\(name)"), withDestinationPath: file == "pipe" ? tool.path("pipe") : file)
          if name == "record.json" { try tool.refuse(["report", folder], ["pipe or a device"]) }
        }
      }
    }
  }

  @Test func outputsThatCannotBe() throws {
    try withTool { tool in
      try FileManager.default.createDirectory(atPath: tool.path("folder"), withIntermediateDirectories: true)
      let long = String(repeating: "n", count: 255)
      for out in ["new/", "folder", long] {
        try tool.refuse(Self.train + ["--out", out, "--epochs", "1000"], ["cannot write"])
        try tool.refuse(["defend", "--defense", "prl-at", "--out", out] + Tool.tiny, ["cannot write"])
        try tool.refuse(
          ["defend", "--defense", "prl-at", "--out", "m", "--samples", out] + Tool.tiny, ["cannot write"])
      }
      try tool.refuse(["attack", "--out", long] + Tool.tiny, ["cannot write"])
      #expect(try tool.files() == ["folder"])
      try tool.succeed(Self.train + ["--out", String(repeating: "n", count: 245)])
    }
  }

  /// What moves a terminal's cursor or changes its colours is spelt out.
  @Test func escapesFromFiles() throws {
    let escape = "\u{1b}[31mred\u{7}"
    func expectEscaped(_ tool: Tool, _ arguments: [String]) throws {
      let result = try tool.run(arguments)
      #expect(result.errors.contains("\\u{1b}[31mred"), "\(result.errors)")
      #expect(!(result.errors + result.output).contains("\u{1b}["), "\(result.errors)")
    }
    try withTool { tool in
      try tool.write("? \"\(#"\e[31mred\a"#)\"\n: 1\n", to: "config.yaml")
      try expectEscaped(tool, Self.train + ["--config", "config.yaml", "--out", "m"])
      try tool.write("not json", to: escape)
      try expectEscaped(tool, ["evaluate", "--model", escape] + Tool.tiny)
      try expectEscaped(tool, Self.train + ["--out", "m", "--dataset", "folder", "--data", "\(escape)2"])
      try expectEscaped(tool, Self.train + ["--out", "m", "--set", "recipe.\(escape)=1"])
      try FileManager.default.createDirectory(atPath: tool.path("run\(escape)"), withIntermediateDirectories: true)
      try expectEscaped(tool, ["report", "run\(escape)"])
    }
  }

  /// The classes of a model are those of its file, in whatever order a data set has them.
  @Test func classesAreMatchedByName() throws {
    try withTool { tool in
      try tool.succeed(["attack", "--out", "pp", "--format", "png"] + Tool.tiny)
      // The same images in folders, which are numbered in alphabetical order.
      for split in ["train", "test"] {
        for folder in try FileManager.default.contentsOfDirectory(atPath: tool.path("pp/png/\(split)")) {
          let name = try #require(folder.split(separator: "-", maxSplits: 1).last)
          for (root, name) in [("same", "\(name)"), ("other", "kind-\(folder)")] {
            try FileManager.default.createDirectory(
              atPath: tool.path("\(root)/\(split)"), withIntermediateDirectories: true)
            try FileManager.default.copyItem(
              atPath: tool.path("pp/png/\(split)/\(folder)"), toPath: tool.path("\(root)/\(split)/\(name)"))
          }
        }
      }
      try tool.succeed(
        ["train", "--epochs", "3", "--out", "m", "--dataset", "tensors", "--data", "pp"] + Tool.tiny + Tool.tinyModel)
      func evaluate(_ data: [String], _ more: [String] = []) throws -> [Substring] {
        try tool.succeed(["evaluate", "--model", "m", "--dataset"] + data + more).split(separator: "\n").dropFirst(
          more.isEmpty ? 0 : 1
        )
        .map { $0 }
      }
      #expect(try evaluate(["folder", "--data", "same"]) == evaluate(["tensors", "--data", "pp"]))
      let poison = ["--poison", "pp/poison.json"]
      #expect(try evaluate(["folder", "--data", "same"], poison) == evaluate(["tensors", "--data", "pp"], poison))
      // A target is named by the number that the data set gives it.
      let result = try tool.run(["evaluate", "--model", "m", "--dataset", "folder", "--data", "same"] + poison)
      #expect(result.errors.components(separatedBy: "by name").count == 2, "\(result.errors)")
      try tool.refuse(
        ["evaluate", "--model", "m", "--dataset", "folder", "--data", "other"], ["different classes", "kind-"])
      let defend = [
        "defend", "--model", "m", "--defense", "ft", "--set", "defense.epochs=1", "--dataset", "tensors", "--data",
        "pp",
      ]
      try tool.refuse(defend + ["--out", "p", "--clean", "other/train"], ["different classes", "kind-"])
      // Clean images in another order are the same clean images.
      try tool.succeed(defend + ["--out", "p", "--clean", "same/train"])
      #expect(try tool.succeed(["evaluate", "--model", "p", "--dataset", "folder", "--data", "same"]).contains("ACC"))
    }
  }

  @Test func poisonOfClassesThatAreNot() throws {
    try withTool { tool in
      try tool.succeed(["attack", "--out", "pp"] + Tool.tiny)
      try tool.succeed(Self.train + ["--out", "m", "--dataset", "tensors", "--data", "pp"])
      let text = try String(decoding: tool.data("pp/poison.json"), as: UTF8.self)
      let changed = text.replacing(#""target": 0"#, with: #""target": 99"#)
      #expect(changed != text)
      try tool.write(changed, to: "poison.json")
      let evaluate = ["evaluate", "--model", "m", "--dataset", "tensors", "--data", "pp", "--poison"]
      try tool.refuse(evaluate + ["poison.json"], ["poison.json", "all classes to 99", "0 to 9"])
      try tool.succeed(evaluate + ["pp/poison.json"])
    }
  }

  @Test func aModelFileFromElsewhere() throws {
    try withTool { tool in
      try tool.succeed(Self.train + ["--out", "m"])
      var bytes = try tool.data("m")
      // A key of the same length, so that the header stays whole.
      while let range = bytes.range(of: Data(#""linear."#.utf8)) {
        bytes.replaceSubrange(range, with: Data(#""header."#.utf8))
      }
      try bytes.write(to: URL(fileURLWithPath: tool.path("renamed")))
      let evaluate = ["evaluate", "--model", "renamed"] + Tool.tiny
      try tool.refuse(evaluate, ["missing keys", "--rename header=linear"])
      try tool.succeed(evaluate + ["--rename", "header=linear"])
      try tool.refuse(evaluate + ["--rename", "header=linear", "--ignore", "bn1"], ["missing keys", "bn1.weight"])
      try tool.refuse(evaluate + ["--rename", "header"], ["--rename"])
    }
  }
}
