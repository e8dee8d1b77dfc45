import Foundation
import Testing

/// Threads and precision on the command line.
struct ComputeTests {
  @Test(arguments: ["run", "attack", "train", "defend", "evaluate", "demo", "bench"])
  func everyCommandThatComputesTakesThreadsAndPrecision(_ command: String) throws {
    try withTool { tool in
      let help = try tool.succeed([command, "--help"])
      #expect(help.contains("--threads <n|auto>") && help.contains("--precision <name>"), "\(help)")
    }
  }

  @Test func wrongValuesAreRefused() throws {
    try withTool { tool in
      for value in ["0", "many", "1.5"] {
        try tool.refuse(
          ["train", "--out", "m", "--threads", value] + Tool.tiny, ["'\(value)' is invalid for '--threads <n|auto>'"])
      }
      try tool.refuse(
        ["train", "--out", "m", "--precision", "half"], ["'half' is invalid for '--precision <name>'", "bfloat16"])
      try tool.refuse(["train", "--out", "m", "--set", "threads=0"] + Tool.tiny, ["threads", "out of range"])
      #expect(try tool.files() == [])
    }
  }

  /// Killed after an epoch with two threads; with auto, which takes one in these tests, it goes on with two, to the
  /// same bits.
  @Test func aKilledRunGoesOnWithItsThreads() throws {
    let run = ["run", "--out", "run", "--epochs", "3", "--defense", "none"] + Tool.tiny + Tool.tinyModel
    try withTool { undisturbed in
      try undisturbed.succeed(run + ["--threads", "2"])
      try withTool { tool in
        let process = try Running(run + ["--threads", "2"], in: tool.folder)
        process.wait(for: "Training 1/3: accuracy")
        process.wait(for: "Training 2/3")
        process.send(SIGKILL)
        _ = try process.wait()
        try tool.write("threads: auto\n", to: "settings.yaml")
        let result = try tool.run(run + ["--config", "settings.yaml"])
        #expect(result.code == 0 && result.errors.contains("with 2 threads (as it began)"), "\(result.errors)")
        #expect(result.errors.contains("going on after epoch"), "\(result.errors)")
        let name = "run/backdoored.safetensors"
        #expect(try tool.data(name) == undisturbed.data(name))
        let record = try #require(
          try JSONSerialization.jsonObject(with: tool.data("run/record.json")) as? [String: Any])
        let environment = try #require(record["environment"] as? [String: Any])
        #expect(environment["threads"] as? Int == 2 && environment["threadsReason"] as? String == "as it began")
      }
    }
  }
}
