import Foundation
import TestFiles
import Testing

/// Grids run by the tool itself: several processes on one folder, processes that are killed, cells that fail.
struct GridTests {
  static let base = """
    base:
      precision: float32
      dataset: {name: generated, size: 28, train: 100, test: 40}
      model: {name: cnn, width: 2}
      recipe: {epochs: 2, batch: 50}
      evaluation: {riskSamples: 8, samples: 0}
    attacks: [badnets]
    rates: [0.2]

    """
  private static let wild =
    "{name: ft, label: wild, epochs: 8, learningRate: 100, weightDecay: 1, batch: 2}"

  /// The folder's cells by their state, from `grid status`.
  static func states(_ tool: Tool, _ folder: String) throws -> [String: [[String: Any]]] {
    let text = try tool.succeed(["grid", "status", folder, "--json"])
    let tree = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    let cells = try #require(tree?["cells"] as? [[String: Any]])
    return Dictionary(grouping: cells) { $0["state"] as? String ?? "" }
  }

  /// A process that is interrupted, then four on one folder: no cell is done twice, none is lost, each is the run that its
  /// own command makes, and the one that fails costs itself.
  @Test func severalProcessesShareAGrid() throws {
    try withTool { tool in
      try tool.write(Self.base + "defenses: [none, {name: ft, epochs: 2}, \(Self.wild)]\n", to: "g.yaml")
      let command = ["grid", "run", "g.yaml", "--out", "g", "--jobs", "1"]
      let interrupted = try Running(command, in: tool.folder)
      interrupted.wait(for: ": started")
      interrupted.send(SIGINT)
      let result = try interrupted.wait()
      #expect(result.code == 130 && result.errors.contains("Give the same command again"), "\(result.errors)")
      #expect(try Self.states(tool, "g")["running"] == nil)

      let workers = try (0..<4).map { _ in try Running(command, in: tool.folder) }
      let results = try workers.map { try $0.wait() }
      for result in results {
        #expect(result.code == 1 && result.output.contains("2 of 3 cells finished"), "\(result.errors)")
      }
      let said = ([result] + results).flatMap { $0.errors.split(separator: "\n") }
      #expect(Set(said.filter { $0.contains(": finished in") }.map { $0.prefix { $0 != ":" } }) == ["none", "ft"])
      #expect(said.count { $0.contains(": finished in") } == 2 && said.count { $0.contains(": failed after") } == 1)
      let states = try Self.states(tool, "g")
      let failed = try #require(states["failed"]?.first)
      #expect((failed["reason"] as? String)?.contains("the loss became") == true && failed["failures"] as? Int == 1)

      let cell = try #require(states["finished"]?.first { ($0["axes"] as? [String: String])?["defense"] == "ft" })
      let folder = "g/runs/\(try #require(cell["folder"] as? String))"
      let record = try #require(
        try JSONSerialization.jsonObject(with: tool.data("\(folder)/record.json")) as? [String: Any])
      let words = try #require(record["command"] as? String).split(separator: " ").map(String.init)
      try tool.succeed(Array(words.dropFirst()) + ["--out", "alone"])
      #expect(try tool.data("alone/model.safetensors") == tool.data("\(folder)/model.safetensors"))
      #expect(try measurements(tool, "alone") == measurements(tool, folder))

      // A failed cell is not tried again by itself; once again when asked for.
      try tool.refuse(command, ["1 of 3 cells failed", "--retry-failed"])
      try tool.refuse(command + ["--retry-failed"], ["1 of 3 cells failed"])
      #expect(try Self.states(tool, "g")["failed"]?.first?["failures"] as? Int == 2)
      // The corrected file keeps what is done.
      try tool.write(Self.base + "defenses: [none, {name: ft, epochs: 2}]\nseeds: [0]\n", to: "g.yaml")
      let again = try tool.run(command)
      #expect(again.code == 0 && !again.errors.contains(": started"), "\(again.errors)")
    }
  }

  /// Two variants of a defense in two processes: the features that they have in common are learned once, and the results
  /// are those of runs by themselves.
  @Test func variantsShareTheirFeatures() throws {
    try withTool { tool in
      let settings = "pretrain: {epochs: 2, batch: 32}, tune: {epochs: 1, batch: 50}, embeddings: 0"
      let variants = ["ss-ce", "ss-sce"].map { "{name: dbd, label: \($0), variant: \($0), \(settings)}" }
      try tool.write(Self.base + "defenses: [none, \(variants.joined(separator: ", "))]\n", to: "g.yaml")
      let command = ["grid", "run", "g.yaml", "--out", "g", "--jobs", "1"]
      let workers = try (0..<2).map { _ in try Running(command, in: tool.folder) }
      for worker in workers { #expect(try worker.wait().code == 0, "\(worker.errors)") }
      #expect(try tool.files("g/claims").contains { $0.hasPrefix("features-") })
      let cells = try Self.states(tool, "g")["finished"] ?? []
      let logs = try cells.compactMap { $0["id"] as? String }.map {
        try String(contentsOfFile: tool.path("g/cells/\($0).log"), encoding: .utf8)
      }
      #expect(logs.count == 3 && logs.count { $0.contains("the same features were learned for") } == 1, "\(logs)")
      for cell in cells {
        let folder = "g/runs/\(try #require(cell["folder"] as? String))"
        guard (cell["axes"] as? [String: String])?["defense"] != "none" else { continue }
        let record = try #require(
          try JSONSerialization.jsonObject(with: tool.data("\(folder)/record.json")) as? [String: Any])
        #expect((record["artifacts"] as? [String: Any])?["features.safetensors"] != nil)
        let words = try #require(record["command"] as? String).split(separator: " ").map(String.init)
        let alone = "alone-\(record["id"] ?? "")/run"
        try tool.succeed(Array(words.dropFirst()) + ["--out", alone])
        for file in ["model.safetensors", "features.safetensors"] {
          #expect(try tool.data("\(alone)/\(file)") == tool.data("\(folder)/\(file)"), "\(file)")
        }
        #expect(try measurements(tool, alone) == measurements(tool, folder))
      }
    }
  }

  /// A cell's process that is killed after its record is whole leaves its checkpoint, says how far it is for ever, and
  /// writes no report; the next worker does the rest, which computes nothing, whatever it takes its end for.
  @Test func whatAFinishedCellLeftIsCleanedUp() throws {
    try withTool { tool in
      try tool.write(Self.base + "defenses: [none, {name: ft, epochs: 2}]\n", to: "g.yaml")
      let command = ["grid", "run", "g.yaml", "--out", "g"]
      try tool.succeed(command)
      let before = try tool.files("g/runs")
      let cells = try #require(try Self.states(tool, "g")["finished"])
      #expect(cells.count == 2)
      var records: [Data] = []
      for cell in cells {
        let folder = "g/runs/\(try #require(cell["folder"] as? String))"
        records.append(try tool.data("\(folder)/record.json"))
        try tool.write("{}", to: "\(folder)/status.json")
        try tool.write("half a checkpoint", to: "\(folder)/checkpoint-training.safetensors")
        try FileManager.default.removeItem(atPath: tool.path("\(folder)/report.html"))
      }
      let id = try #require(cells[0]["id"] as? String)
      try tool.write(
        "{\"id\": \"\(id)\", \"reason\": \"its process crashed\", \"failures\": 1, \"seconds\": 1, "
          + "\"date\": \"2026-01-01T00:00:00Z\", \"worker\": \"a:1\"}", to: "g/cells/\(id).json")
      let again = try tool.run(command)
      #expect(again.code == 0 && again.errors.components(separatedBy: ": started").count == 3, "\(again.errors)")
      #expect(try tool.files("g/runs") == before && !tool.files("g/cells").contains("\(id).json"))
      for (cell, record) in zip(cells, records) {
        let folder = "g/runs/\(try #require(cell["folder"] as? String))"
        #expect(try tool.files(folder).contains("report.html") && !tool.files(folder).contains("status.json"))
        #expect(try !tool.files(folder).contains("checkpoint-training.safetensors"))
        #expect(try tool.data("\(folder)/record.json") == record)
      }
      let last = try tool.run(command)
      #expect(last.code == 0 && !last.errors.contains(": started"), "\(last.errors)")
    }
  }

  private func measurements(_ tool: Tool, _ folder: String) throws -> NSArray {
    let record = try tool.recordWithoutTimes("\(folder)/record.json")
    return try #require(record["measurements"] as? NSArray)
  }

  @Test func severalSeedsAreAGrid() throws {
    try withTool { tool in
      let arguments =
        ["run", "--seed", "0,1", "--defense", "none", "--epochs", "1"] + Tool.tiny + Tool.tinyModel
        + ["--set", "dataset.train=60", "--set", "dataset.test=20", "--set", "evaluation.samples=0"]
      try tool.succeed(arguments)
      let folder = try #require(try tool.files("grids").first)
      #expect(folder.hasPrefix("badnets-none-generated-"))
      #expect(try Self.states(tool, "grids/\(folder)")["finished"]?.count == 2)
      try tool.refuse(["train", "--seed", "0,1", "--out", "m"] + Tool.tiny, ["this command takes one seed"])
      try tool.refuse(["run", "--seed", "0,0"], ["seed"])
    }
  }

  /// `--device` goes over what the file says.
  @Test func theDeviceIsChosen() throws {
    try withTool { tool in
      try tool.write(Self.base.replacing("base:\n", with: "base:\n  device: cuda:63\n"), to: "g.yaml")
      try tool.succeed(["grid", "run", "g.yaml", "--out", "g", "--device", "cpu"])
      #expect(try Self.states(tool, "g")["finished"]?.count == 1)
    }
  }

  @Test func wrongGridsAreRefused() throws {
    try withTool { tool in
      try tool.write("attacks: [badnet]\nrates: [3]\n", to: "g.yaml")
      try tool.refuse(["grid", "run", "g.yaml"], ["g.yaml:1:", "Did you mean badnets", "g.yaml:2:"])
      try tool.refuse(["grid", "status", "."], ["holds no grid"])
      try tool.write(Self.base, to: "right.yaml")
      try tool.refuse(["grid", "run", "right.yaml", "--out", "g", "--device", "gpu"], ["device 'gpu': unknown"])
      try tool.refuse(["grid", "run", "nothing.yaml"], ["nothing.yaml"])
      #expect(try tool.files() == ["g.yaml", "right.yaml"])
    }
  }
}
