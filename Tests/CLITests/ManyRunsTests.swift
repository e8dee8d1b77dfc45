import Files
import Foundation
import TestRuns
import Testing

/// The commands that read many runs.
struct ManyRunsTests {
  @Test func runsAreListedComparedAndRemoved() throws {
    try withTool { tool in
      for (defense, rate) in [("sau", 0.02), ("ft", 0.3), ("nc", 0.1)] {
        try SampleRun { ($0.defense, $0.attackSuccessRate) = (defense, rate) }.write(in: tool.path("runs"))
      }
      try SampleRun { $0.status = "failed" }.write(in: tool.path("runs"), "lost")
      let list = try tool.succeed(["runs", "list", "--where", "status=finished", "--sort=-ASR"])
      let lines = list.split(separator: "\n")
      #expect(
        lines.count == 5 && lines[1].contains("-ft-") && lines[3].contains("-sau-") && lines[4] == "3 runs", "\(list)")
      let csv = try tool.succeed([
        "runs", "list", "runs", "--csv", "--columns", "defense.name,ASR", "--where", "defense=nc",
      ])
      #expect(csv == "defense,ASR\nnc,0.1\n")
      try tool.refuse(["runs", "list", "--where", "attack.rte=1"], ["attack.rate"])
      let (sau, ft) = ("runs/badnets-0.1-sau-cifar10-0", "runs/badnets-0.1-ft-cifar10-0")
      let difference = try tool.succeed(["runs", "diff", sau, ft])
      #expect(difference.contains("defense.name") && difference.contains("+28.0"), "\(difference)")
      #expect(try tool.succeed(["runs", "show", sau]).contains("recipe.epochs"))
      // Nothing goes without --yes, and a whole folder of runs never.
      try tool.refuse(["runs", "rm", "runs", "--yes"], ["--where"])
      #expect(try tool.succeed(["runs", "rm", "runs", "--where", "status=failed"]).contains("would remove runs/lost"))
      #expect(try tool.files("runs").contains("lost"))
      try tool.succeed(["runs", "rm", "runs", "--where", "status=failed", "--yes"])
      #expect(try tool.files("runs").filter { !$0.hasPrefix(".") }.count == 3)
    }
  }

  @Test func aFolderOfRunsIsReportedAndCompared() throws {
    try withTool { tool in
      for defense in ["sau", "ft"] {
        for seed in 0..<2 {
          try SampleRun { ($0.defense, $0.seed) = (defense, seed) }.write(in: tool.path("a/runs"))
          try SampleRun { ($0.defense, $0.seed, $0.attackSuccessRate) = (defense, seed, 0.3) }.write(in: tool.path("b"))
        }
      }
      let output = try tool.succeed(["grid", "report", "a", "--x", "seed", "--y", "ACC"])
      #expect(output.contains("report: a/report.html") && output.contains("figures: a/figures"))
      #expect(try tool.files("a").contains("report.md") && tool.files("a/figures").contains { $0.hasPrefix("chart-1") })
      #expect(try tool.succeed(["grid", "report", "b", "--markdown", "--metrics", "ASR"]).contains("| badnets |"))
      let text = try tool.succeed(["grid", "compare", "a", "b"])
      #expect(text.contains("-28.0") && text.contains("*"), "\(text)")
      try tool.write("attack,defense,metric,value,source\nbadnets,sau,ACC,0.5,table 1\n", to: "paper.csv")
      let json = try tool.succeed(["grid", "compare", "a", "paper.csv", "--json"])
      #expect(json.contains("\"source\": \"table 1\"") && json.contains("\"beyondSpread\": true"), "\(json)")
      try tool.write("attack,defense,metric,value,source\nbadnets,none,TPR,0.5,table 1\n", to: "paper.csv")
      try tool.refuse(["grid", "compare", "a", "paper.csv"], ["no cell in common"])
      try tool.refuse(["grid", "report", "nowhere"], ["nowhere"])
      try tool.refuse(["grid", "report", "a", "--markdown", "--maps"], ["--markdown prints tables alone"])
    }
  }
}
