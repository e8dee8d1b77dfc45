import Foundation
import Testing

/// A process that is interrupted or killed, and the same command given again: the result is that of an undisturbed run,
/// bit by bit.
struct ResumeTests {
  private static let run =
    [
      "run", "--out", "run", "--epochs", "4", "--attack", "badnets", "--defense", "sau", "--set", "defense.epochs=4",
      "--set",
    ]
    + ["defense.batch=16", "--set", "evaluation.samples=2"] + Tool.tiny + Tool.tinyModel

  @Test func aRunThatIsDisturbed() throws {
    try withTool { undisturbed in
      try undisturbed.succeed(Self.run)
      try withTool { tool in
        // Ctrl-C in the training and in the defense.
        for place in ["Training 1/4: accuracy", "SAU 1/4: accuracy"] {
          let process = try Running(Self.run, in: tool.folder)
          process.wait(for: place)
          process.send(SIGINT)
          let result = try process.wait()
          #expect(result.code == 130 && result.errors.contains("Give the same command again"), "\(result.errors)")
          #expect(try String(decoding: tool.data("run/record.json"), as: UTF8.self).contains("\"interrupted\""))
        }
        try tool.succeed(Self.run)
        try expectEqual(tool, undisturbed)
      }
    }
  }

  @Test func aTrainingAndADefenseThatAreDisturbed() throws {
    let train = ["train", "--out", "m.safetensors", "--epochs", "4"] + Tool.tiny + Tool.tinyModel
    let defend =
      ["defend", "--model", "m.safetensors", "--out", "p.safetensors", "--defense", "ft", "--set", "defense.epochs=4"]
      + Tool.tiny
    try withTool { undisturbed in
      try undisturbed.succeed(train)
      try undisturbed.succeed(defend)
      try withTool { tool in
        for (command, place, signal) in [
          (train, "Training 1/4: accuracy", SIGINT), (defend, "Fine-tuning 2/4: accuracy", SIGKILL),
        ] {
          let output = command == train ? "m.safetensors" : "p.safetensors"
          let process = try Running(command, in: tool.folder)
          process.wait(for: place)
          process.send(signal)
          #expect(try process.wait().code == 128 + signal)
          #expect(!FileManager.default.fileExists(atPath: tool.path(output)))
          // Other settings do not go on with these checkpoints.
          try tool.refuse(
            command + ["--seed", "9"], ["\(output).work keeps the checkpoints of another job", "seed: 0 there, 9 now"])
          try tool.succeed(command)
        }
        for name in ["m.safetensors", "p.safetensors"] { #expect(try tool.data(name) == undisturbed.data(name)) }
        #expect(try tool.files() == ["m.safetensors", "p.safetensors"])
      }
    }
  }

  private func expectEqual(_ tool: Tool, _ other: Tool, _ location: SourceLocation = #_sourceLocation) throws {
    for name in ["run/model.safetensors", "run/backdoored.safetensors"] {
      #expect(try tool.data(name) == other.data(name), "\(name)", sourceLocation: location)
    }
    #expect(try tool.recordWithoutTimes() == other.recordWithoutTimes(), sourceLocation: location)
    #expect(try tool.metricsWithoutTimes() == other.metricsWithoutTimes(), sourceLocation: location)
  }
}
