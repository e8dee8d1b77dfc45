import Foundation
import TestFiles
import Testing

/// The steps of an experiment one by one, through files.
struct PipelineTests {
  private static let recipe = Tool.tinyModel + ["--epochs", "2"]
  private static let defense = ["--defense", "sau", "--set", "defense.epochs=2", "--set", "defense.batch=16"]

  /// attack, train, defend and evaluate give the same bits as one run.
  @Test func theStepsEqualARun() throws {
    try withTool { tool in
      try tool.succeed(["attack", "--attack", "badnets", "--format", "png", "--out", "poisoned"] + Tool.tiny)
      #expect(
        try tool.files("poisoned") == [
          "png", "poison.json", "test-triggered.safetensors", "test.safetensors", "train.safetensors",
        ])
      #expect(try tool.files("poisoned/png/train").first == "0-disc")
      try tool.succeed(
        [
          "train", "--dataset", "tensors", "--data", "poisoned", "--out", "suspect.safetensors", "--precision",
          "float32",
        ] + Self.recipe)
      let table = try tool.succeed(
        [
          "defend", "--model", "suspect.safetensors", "--poison", "poisoned/poison.json", "--out",
          "purified.safetensors",
        ] + Self.defense
          + Tool.tiny)
      for word in ["before", "after", "ACC", "ASR", "R-ACC"] { #expect(table.contains(word)) }
      let measured = try tool.succeed(
        ["evaluate", "--model", "purified.safetensors", "--poison", "poisoned/poison.json", "--json"] + Tool.tiny)
      let again = try tool.succeed(
        ["evaluate", "--model", "purified.safetensors", "--attack", "badnets", "--json"] + Tool.tiny)
      #expect(measured == again)
      #expect(measured.contains("\"attackSuccessRate\"") && measured.contains("\"triggeredCount\": 90"))

      try tool.succeed(["run", "--out", "run", "--attack", "badnets"] + Tool.tiny + Self.recipe + Self.defense)
      #expect(try tool.data("suspect.safetensors") == tool.data("run/backdoored.safetensors"))
      #expect(try tool.data("purified.safetensors") == tool.data("run/model.safetensors"))
      #expect(try tool.succeed(["report", "run"]).contains("report: run/report.html"))
      #expect(try tool.succeed(["report", "run", "--json"]).contains("\"outcome\": {"))
      #expect(try tool.files() == ["poisoned", "purified.safetensors", "run", "suspect.safetensors"])

      let predicted = try tool.succeed(
        ["predict", "--model", "purified.safetensors", "--out", "p.csv", "--json"] + Tool.tiny)
      #expect(predicted.contains("\"accuracy\"") && predicted.contains("\"labelled\""))
      #expect(
        try String(decoding: tool.data("p.csv"), as: UTF8.self).hasPrefix("index,label,predicted,probability,logit "))

      // Clean images from a folder of PNG files, and a model file that does not say what it holds.
      try tool.succeed(
        [
          "defend", "--model", "suspect.safetensors", "--set", "model.name=cnn", "--set", "model.width=4", "--dataset",
          "folder", "--data",
        ]
          + [
            "poisoned/png", "--set", "clean.share=1", "--defense", "ft", "--set", "defense.epochs=1", "--out",
            "tuned.safetensors",
          ])
    }
  }

  /// Refool keeps its reflections, covers are told apart, and the gallery shows a learned trigger where it is named.
  @Test func theGallery() throws {
    try withTool { tool in
      let said = try tool.succeed(
        [
          "attack", "--attack", "lf", "--set", "attack.surrogate.epochs=1", "--set", "attack.passes=1", "--set",
          "attack.images=4", "--out", "smooth",
        ] + Tool.tiny + Tool.tinyModel)
      #expect(said.contains("are poisoned\n") && said.contains("SSIM") && said.contains("L_inf"))
      let covered = try tool.succeed(["attack", "--attack", "wanet", "--out", "warped"] + Tool.tiny)
      #expect(covered.contains("are cover samples"))
      let without = try tool.succeed(["attack", "--gallery", "all.png"] + Tool.tiny)
      #expect(without.contains("wanet (warp): PSNR") && without.contains("refool (reflection): PSNR"))
      #expect(without.contains("Not shown") && without.contains("lf") && without.contains("label-consistent"))
      let with = try tool.succeed(["attack", "--gallery", "more.png", "--poison", "smooth/poison.json"] + Tool.tiny)
      #expect(with.contains("lf (smooth perturbation): PSNR"))
      #expect(try tool.data("more.png").count > tool.data("all.png").count)
      #expect(try tool.run(["attack", "--gallery", "all.png"] + Tool.tiny).errors.contains("exists"))
      let far = try tool.run(["attack", "--gallery", "far.png", "--image", "9999999"] + Tool.tiny)
      #expect(far.code != 0 && far.errors.contains("there are images 0 to"))
      #expect(try tool.run(["attack", "--image", "1", "--out", "x"] + Tool.tiny).code == 64)
    }
  }

  /// A training-time defense on files equals the one of a run, and a filter writes its table.
  @Test func defensesThatTrainOrFilter() throws {
    try withTool { tool in
      let defense = ["--defense", "prl-at", "--set", "defense.recipe.epochs=1", "--set", "defense.recipe.batch=32"]
      let data = [
        "--dataset", "tensors", "--data", "poisoned", "--precision", "float32", "--set", "model.name=cnn", "--set",
        "model.width=4",
      ]
      try tool.succeed(["attack", "--attack", "badnets", "--out", "poisoned"] + Tool.tiny)
      let text = try tool.succeed(["defend", "--out", "clean.safetensors", "--samples", "all.csv"] + data + defense)
      #expect(text.contains("kept") && text.contains("ACC") && text.contains("written: clean.safetensors"))
      try tool.succeed(["run", "--out", "run", "--attack", "badnets"] + Tool.tiny + Self.recipe + defense)
      #expect(try tool.data("clean.safetensors") == tool.data("run/model.safetensors"))

      let learner = ["--set", "defense.learner.epochs=1", "--set", "defense.learner.batch=32"]
      let filter =
        ["--defense", "ispl", "--set", "defense.rounds=2", "--set", "defense.bags=1", "--set", "defense.share=0.4"]
        + learner
      let verdict = try tool.succeed(["defend", "--out", "kept.csv", "--set", "defense.stopAt=4"] + data + filter)
      #expect(verdict.contains("kept") && verdict.contains("written: kept.csv"))
      let table = try String(decoding: tool.data("kept.csv"), as: UTF8.self)
      #expect(table.hasPrefix("index,path,row,label,class,decision,kept,suspicion,rank"))
      #expect(
        table.split(separator: "\n")[0].contains("poisoned") == false
          && table.contains("\n1,poisoned/train.safetensors,1,"))
      let counts = try tool.succeed([
        "filter", "kept.csv", "--most-suspicious", "7", "--copy-kept", "filtered", "--json",
      ])
      #expect(counts.contains("\"rejected\": 7") && counts.contains("\"kept\": 293"))
      #expect(try tool.files("filtered") == ["train.safetensors"])
      try tool.refuse(
        ["filter", "kept.csv", "--copy-kept", "filtered"], ["filtered exists and is not an empty folder"])
      try tool.refuse(
        ["defend", "--model", "clean.safetensors", "--out", "x"] + data + filter, ["does not look at the weights"])
      try FileManager.default.removeItem(atPath: tool.path("filtered"))
      #expect(try tool.files() == ["all.csv", "clean.safetensors", "kept.csv", "poisoned", "run"])
    }
  }

  /// An attack that learns keeps what it learned beside the poisoned data and in the run; a run beside it takes it from
  /// there.
  @Test func attacksThatLearn() throws {
    try withTool { tool in
      let attack = [
        "--attack", "clustered-trigger", "--set", "attack.epochs=2", "--set", "attack.pretrain.epochs=1", "--set",
        "attack.pretrain.batch=32",
      ]
      let settings = Tool.tiny + Self.recipe
      try tool.succeed(["attack", "--out", "poisoned"] + attack + settings)
      #expect(try tool.files("poisoned").contains("attack.safetensors"))
      try tool.succeed(["run", "--out", "run"] + attack + settings + ["--defense", "none"])
      #expect(try tool.data("run/attack.safetensors") == tool.data("poisoned/attack.safetensors"))
      func measure(_ source: [String]) throws -> String {
        try tool.succeed(["evaluate", "--model", "run/backdoored.safetensors", "--json"] + source + Tool.tiny)
      }
      let measured = try measure(["--poison", "poisoned/poison.json"])
      #expect(try measured == measure(["--poison", "run/poison.json"]))
      for name in ["poison.json", "attack.safetensors"] {
        try tool.data("run/\(name)").write(to: URL(fileURLWithPath: tool.path(name)))
      }
      #expect(try measured == measure(["--poison", "poison.json"]), "beside a manifest in the current folder")
      try tool.refuse(["evaluate", "--model", "run/backdoored.safetensors"] + attack + Tool.tiny, ["poison.json"])
      let other = try tool.run(
        ["run", "--out", "other"] + attack + settings + ["--defense", "ft", "--set", "defense.epochs=1"])
      #expect(other.code == 0 && other.errors.contains("the same was learned for"), "\(other.errors)")
      #expect(try tool.data("other/attack.safetensors") == tool.data("run/attack.safetensors"))
    }
  }

  @Test(.enabled(if: RealData.cifar10 != nil, RealData.absent))
  func theStepsOnRealImages() throws {
    let data = try #require(RealData.cifar10)
    let images = ["--dataset", "cifar10", "--data", data, "--set", "dataset.train=300", "--set", "dataset.test=100"]
    try withTool { tool in
      try tool.succeed(["attack", "--attack", "blended", "--out", "poisoned"] + images)
      let poisoned = ["--dataset", "tensors", "--data", "poisoned"]
      try tool.succeed(["train", "--out", "suspect.safetensors"] + poisoned + Self.recipe)
      try tool.succeed(
        ["defend", "--model", "suspect.safetensors", "--clean", "poisoned", "--out", "purified.safetensors"] + poisoned
          + Self.defense)
      let result = try tool.succeed(
        ["evaluate", "--model", "purified.safetensors", "--poison", "poisoned/poison.json", "--json"] + poisoned)
      #expect(result.contains("\"kind\": \"cnn\"") && result.contains("\"testCount\": 100"))
    }
  }
}
