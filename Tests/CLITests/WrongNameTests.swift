import Foundation
import Testing

/// Names and settings that do not exist: one clear line with the nearest that does, and nothing written.
struct WrongNameTests {
  @Test(arguments: [
    (["--attack", "badnet"], ["attack.name: unknown attack \"badnet\"", "Did you mean badnets or wanet?"]),
    (["--defense", "sua"], ["defense.name: unknown defense \"sua\"", "Did you mean sau?"]),
    (["--model", "resnet19"], ["model.name", "resnet18"]),
    (["--model", "resnet32", "--width", "7"], ["model.width: 7 is no width of resnet32: it takes multiples of 2"]),
    (["--dataset", "cifar11"], ["dataset.name", "cifar10"]),
    (["--recipe", "fats"], ["recipe.name: unknown recipe \"fats\"", "Did you mean fast?"]),
    (
      ["--set", "attack.rte=0.1", "--set", "recipe.epoch=1"],
      ["2 settings", "Did you mean attack.rate?", "Did you mean recipe.epochs?"]
    ),
    (["--set", "attack.rate=2"], ["attack.rate: 2 is out of range; expected 0 to 1"]),
    (["--set", "atack.rate=0.1"], ["Did you mean attack?"]),
    (["--set", "attack.rate"], ["has no \"=\""]),
    (["--device", "cuda:63"], ["cuda:63", "CUDA device", "Use "]),
    (["--config", "missing.yaml"], ["missing.yaml: there is no such file", "--config"]),
  ])
  func aWrongName(_ arguments: [String], _ words: [String]) throws {
    try withTool { tool in
      try tool.refuse(["run", "--out", "run"] + arguments, words)
      #expect(try tool.files() == [])
    }
  }

  @Test func aWrongKeyInAFileIsShownWithItsLine() throws {
    try withTool { tool in
      try tool.write("seed: 1\nattack:\n  name: badnets\n  rte: 0.1\ndefense: sua\n", to: "e.yaml")
      try tool.refuse(
        ["run", "--config", "e.yaml", "--out", "run"],
        ["e.yaml:4: attack.rte: unknown setting. Did you mean attack.rate?", "e.yaml:5: defense.name: unknown defense"])
      try tool.write("attack: [\n", to: "broken.yaml")
      try tool.refuse(["run", "--config", "broken.yaml", "--out", "run"], ["broken.yaml:2"])
      #expect(try tool.files() == ["broken.yaml", "e.yaml"])
    }
  }

  @Test func aSettingThatTheCommandDoesNotUse() throws {
    try withTool { tool in
      try tool.refuse(
        ["train", "--out", "m.safetensors", "--set", "attack.rate=0.1"],
        ["attack.rate", "antidote train has no attack"])
      try tool.refuse(["list", "sua"], ["Did you mean sau?"])
      #expect(try tool.run(["train"]).code == 64)
      #expect(try tool.files() == [])
    }
  }
}
