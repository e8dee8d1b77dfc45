import Foundation
import TestFiles
import Testing

/// `antidote audit` as a pipeline uses it.
struct AuditTests {
  private static let small = [
    "--set", "audit.images=40", "--set", "audit.starts=2", "--set", "audit.marginSteps=2", "--set",
    "audit.patchSteps=2", "--set", "audit.perturbationSteps=2", "--precision", "float32", "--threads", "1",
  ]

  /// Trained long enough to answer with more than one class.
  private static let model = ["--model", "cnn", "--width", "4", "--set", "recipe.batch=10"]

  @Test func aBankAPageAndExitCodes() throws {
    try withTool { tool in
      let data = ["--dataset", "generated", "--set", "dataset.train=200", "--set", "dataset.test=40"]
      let calibrate = ["audit", "calibrate", "--models", "3", "--epochs", "4"] + data + Self.model + Self.small
      let said = try tool.succeed(calibrate + ["--jobs", "1", "--out", "bank.json"])
      // In processes of their own the models are the same.
      try tool.succeed(calibrate + ["--jobs", "2", "--out", "twin.json"])
      #expect(try tool.data("twin.json") == tool.data("bank.json"))
      #expect(try !tool.files(".").contains { $0.hasPrefix("twin.json.") })
      #expect(said.contains("3 clean models") && said.contains("1/4"))
      try tool.succeed(
        ["train", "--epochs", "4", "--out", "m.safetensors", "--precision", "float32"] + data + Self.model)
      let audit = ["audit", "--model", "m.safetensors", "--reference", "bank.json", "--precision", "float32"] + data
      let text = try tool.succeed(audit + ["--out", "audit"]).split { $0.isWhitespace }.joined(separator: " ")
      for word in [
        "Cannot be judged: with 3 clean models p is at least 0.25", "can see", "may miss", "audit/audit.html",
      ] { #expect(text.contains(word)) }
      let page = try String(decoding: tool.data("audit/audit.html"), as: UTF8.self)
      #expect(page.contains("Audit of m.safetensors") && page.contains("data:image/png;base64,"))
      #expect(page.contains("<svg") && !page.contains("image not found"))
      #expect(try tool.files("audit").contains("audit.json"))

      let score = ["audit", "score", "audit", "--reference", "bank.json"]
      let scored = try tool.succeed(score)
      #expect(scored.contains("no evidence") && !scored.contains("audits of"))
      let found = try String(decoding: tool.data("audit/audit.json"), as: UTF8.self)
      let line = try #require(found.split(separator: "\n").first { $0.hasPrefix("  \"pValue\"") })
      #expect(try tool.succeed(score + ["--json"]).contains(line.drop { $0 == " " }))
      #expect(try tool.succeed(score + ["--csv"]).hasPrefix("group,audit,model,"))
      #expect(try tool.succeed(score + ["--json"]).contains("\"aboveAll\""))
      #expect(try tool.run(score + ["--json", "--csv"]).code == 64)
      #expect(try tool.run(["audit", "score", "none", "--reference", "bank.json"]).code == 3)

      // Every p is at most 1.
      let json = try tool.run(audit + ["--json", "--level", "1"])
      #expect(json.code == 2 && json.output.contains("\"verdict\": \"backdoored\""))
      let failed = try tool.run(["audit", "--model", "none.safetensors", "--reference", "bank.json"] + data)
      #expect(failed.code == 3 && failed.errors.contains("none.safetensors"))
      #expect(try tool.run(["audit", "--data", "."]).code == 64)
      for time in ["10", "5x", "m", "-3s", "0s"] {
        #expect(try tool.run(audit + ["--time=\(time)"]).code == 64, "\(time)")
      }
      let timed = try tool.succeed(audit + ["--time", "0.001s"]).split { $0.isWhitespace }.joined(separator: " ")
      #expect(timed.contains("1 of 10 classes in full") && timed.contains("p is as a rule larger"))
    }
  }
}
