import Foundation
import Testing

/// The commands that tell what there is.
struct InformationTests {
  @Test func theList() throws {
    try withTool { tool in
      let all = try tool.succeed(["list"])
      for name in ["cifar10", "preactresnet18", "badnets", "sau", "benchmark", "evaluation"] {
        #expect(all.contains("  \(name) "))
      }
      #expect(all.split(separator: "\n").allSatisfy { $0.count <= 100 })
      let badnets = try tool.succeed(["list", "attacks", "badnets"])
      for text in ["attack.rate = 0.1", "fraction; 0 to 1", "Gu et al. 2017", "bottom-right | bottom-left"] {
        #expect(badnets.contains(text))
      }
      #expect(try tool.succeed(["list", "benchmark"]).contains("recipe.learningRate = 0.01"))
      let json = try JSONSerialization.jsonObject(with: Data(try tool.succeed(["list", "defenses", "--json"]).utf8))
      #expect((json as? [[String: Any]])?.contains { $0["name"] as? String == "sau" } == true)
    }
  }

  @Test func theDoctor() throws {
    try withTool { tool in
      let text = try tool.succeed(["doctor", "--json"])
      let diagnosis = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      let findings = try #require(diagnosis["findings"] as? [[String: Any]])
      let names = findings.compactMap { $0["name"] as? String }
      for name in ["libtorch", "devices", "bfloat16", "threads", "memory", "disk", "sqlite", "plotly", "speed"] {
        #expect(names.contains(name))
      }
      let absent = try tool.run(["doctor", "--data", "nowhere"])
      #expect(absent.code == 1 && absent.output.contains("nowhere: no such folder"))
    }
  }

  @Test func theHelp() throws {
    try withTool { tool in
      for command in ["run", "attack", "train", "defend", "evaluate", "report"] {
        let help = try tool.succeed([command, "--help"])
        #expect(help.contains("antidote \(command) ") && help.contains("path/to") == (command != "report"), "\(help)")
      }
      #expect(try tool.run(["nonsense"]).code == 64)
    }
  }
}
