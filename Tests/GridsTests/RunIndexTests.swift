import Experiments
import Files
import Foundation
import TestFiles
import TestRuns
import Testing

@testable import Grids

struct RunIndexTests {
  @Test func itHoldsWhatTheRecordsHold() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder)
      try SampleRun { ($0.attack, $0.defense, $0.testCount) = ("blended", "none", 150) }.write(
        in: folder + "/grid/runs")
      let index = try RunIndex(of: folder)
      let runs = try index.runs()
      #expect(index.readCount == 2)
      #expect(runs.map(\.folder) == ["badnets-0.1-sau-cifar10-0", "grid/runs/blended-0.1-none-cifar10-0"])
      // The same from the file of the index as from the records.
      let again = try RunIndex(of: folder)
      #expect(again.readCount == 0)
      #expect(try again.runs() == runs)
      #expect(runs == runs.map { RunSummary(at: folder, $0.folder) })
      let run = runs[0]
      #expect(run.values["accuracy"] == 0.9 && run.values["attackSuccessRateBefore"] == 0.97)
      #expect(abs((run.values["defenseEffectiveness"] ?? 0) - 0.965) < 1e-12)
      #expect(run.text(of: "attack.rate") == "0.1" && run.text(of: "attack") == "badnets" && run.seed == 0)
      #expect(runs[1].text(of: "defense.name") == "none" && runs[1].flags.map(\.id) == ["few-test-images"])
    }
  }

  @Test func onlyWhatChangedIsReadAgain() throws {
    try withTemporaryFolder { folder in
      for seed in 0..<5 { try SampleRun { $0.seed = seed }.write(in: folder) }
      #expect(try RunIndex(of: folder).readCount == 5)
      try SampleRun { ($0.seed, $0.accuracy) = (7, 0.8) }.write(in: folder, "badnets-0.1-sau-cifar10-3")
      try FileManager.default.removeItem(atPath: folder + "/badnets-0.1-sau-cifar10-4")
      try SampleRun { $0.seed = 9 }.write(in: folder)
      let index = try RunIndex(of: folder)
      #expect(index.readCount == 2)
      #expect(try index.runs().map(\.seed) == [0, 1, 2, 7, 9])
      #expect(try index.runs().map { $0.values["accuracy"] } == [0.9, 0.9, 0.9, 0.8, 0.9])
      #expect(try RunIndex(of: folder, rebuild: true).readCount == 5)
    }
  }

  /// The undefended model's numbers are not the defense's.
  @Test func aFilterWithoutItsModel() throws {
    try withTemporaryFolder { folder in
      for defense in ["none", "spectral"] {
        let run = SampleRun { $0.defense = defense }
        let path = try run.write(in: folder, defense)
        try AtomicFile.write(run.json.replacing("\"after\"", with: "\"later\""), to: "\(path)/record.json")
      }
      let values = try RunIndex(of: folder).runs().map { $0.values["accuracy"] }
      #expect(values == [0.92, nil])
    }
  }

  /// A record that was written again within one tick of a coarse clock.
  @Test func anotherSizeIsAChange() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder)
      _ = try RunIndex(of: folder)
      let path = "\(folder)/badnets-0.1-sau-cifar10-0/record.json"
      var before = stat()
      try #require(stat(path, &before) == 0)
      try SampleRun { $0.accuracy = 0.8125 }.write(in: folder)
      try #require(utimensat(AT_FDCWD, path, [before.st_atim, before.st_mtim], 0) == 0)
      let index = try RunIndex(of: folder)
      #expect(try index.readCount == 1 && index.runs().map { $0.values["accuracy"] } == [0.8125])
    }
  }

  /// The first runs alone, as a list with a limit reads them.
  @Test func theFirstRuns() throws {
    try withTemporaryFolder { folder in
      for seed in 0..<3 {
        try SampleRun {
          ($0.seed, $0.accuracy, $0.defense) = (seed, 0.8 + 0.01 * Double(seed), seed == 1 ? "ft" : "nc")
        }
        .write(in: folder, "run-\(seed)")
      }
      let index = try RunIndex(of: folder)
      let all = try index.runs()
      #expect(try index.count() == 3 && all.count == 3)
      for limit in 0...4 { #expect(try index.runs(first: limit) == Array(all.prefix(limit)), "\(limit)") }
    }
  }

  @Test func aDamagedIndexIsBuiltAnew() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder)
      let path = folder + "/" + RunIndex.fileName
      _ = try RunIndex(of: folder)
      try Data("no database at all, but long enough to be taken for one".utf8).write(to: URL(fileURLWithPath: path))
      #expect(try RunIndex(of: folder).runs().count == 1)
      #expect(try RunIndex(of: folder).readCount == 0)
      try FileManager.default.removeItem(atPath: path)
      // Where it cannot be written, it is in memory.
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: path + "/file"))
      try #require(chmod(folder, 0o555) == 0)
      defer { chmod(folder, 0o755) }
      #expect(try RunIndex(of: folder).runs().count == 1)
    }
  }

  @Test func recordsThatCannotBeReadAreListed() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder)
      try FileManager.default.createDirectory(atPath: folder + "/torn", withIntermediateDirectories: true)
      try Data("{\"formatVersion\": 1, ".utf8).write(to: URL(fileURLWithPath: folder + "/torn/record.json"))
      let runs = try RunIndex(of: folder).runs()
      #expect(runs.map(\.status) == [.finished, .damaged])
      #expect(runs[1].failure?.contains("torn/record.json is damaged") == true)
      #expect(throws: FileError.self) { try RunIndex(of: folder + "/nowhere") }
    }
  }

  /// What looks like a number may be an id or a folder; and of a damaged record nothing is known.
  @Test func textThatLooksLikeANumber() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder, "2024")
      try SampleRun { $0.defense = "ft" }.write(in: folder, "12345678e012")
      try FileManager.default.createDirectory(atPath: folder + "/torn", withIntermediateDirectories: true)
      try Data("{".utf8).write(to: URL(fileURLWithPath: folder + "/torn/record.json"))
      let runs = try RunIndex(of: folder).runs()
      func folders(_ condition: String) throws -> [String] {
        try RunQuery(conditions: [RunCondition(condition)]).select(from: runs).map(\.folder)
      }
      #expect(try folders("folder=2024") == ["2024"] && folders("folder=12345678e012") == ["12345678e012"])
      #expect(try folders("folder!=2024") == ["12345678e012", "torn"])
      #expect(try folders("created>2026") == ["12345678e012", "2024"])
      #expect(try folders("created>2027").isEmpty)
      #expect(try folders("defense.name!=ft") == ["2024"] && folders("accuracy!=0.5").count == 2)
      #expect(try folders("status=damaged") == ["torn"])
    }
  }

  /// Only runs of Antidote's are removed, and a link is not followed.
  @Test func whatIsNotAntidotesStays() throws {
    try withTemporaryFolder { folder in
      let manager = FileManager.default
      for (name, record) in [("music", "{\"artist\": \"x\"}"), ("list", "[1]"), ("torn", "{"), ("source", "{")] {
        try manager.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
        try AtomicFile.write(record, to: folder + "/\(name)/record.json")
      }
      try AtomicFile.write("main", to: folder + "/source/main.c")
      for name in ["music", "source"] {
        #expect(throws: RunStoreError.notARun(directory: folder + "/" + name)) {
          try RunDirectory.remove(folder + "/" + name)
        }
      }
      try SampleRun().write(in: folder, "run")
      try manager.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "run")
      #expect(throws: RunStoreError.link(folder + "/link")) { try RunDirectory.remove(folder + "/link/") }
      #expect(manager.fileExists(atPath: folder + "/run/record.json"))
      // A record that was damaged, with nothing beside it that a run does not make.
      try RunDirectory.remove(folder + "/torn")
      try RunDirectory.remove(folder + "/run")
      #expect(try FileSystem.list(folder) == ["link", "list", "music", "source"])
    }
  }

  @Test func whatAFilterFound() throws {
    try withTemporaryFolder { folder in
      try SampleRun { run in
        run.more = """
          "findings": {"detection": {"keptCount": 800, "rejectedCount": 200, "poisonedCount": 100, "poisonKept": 25,
            "cleanRejected": 125, "areaUnderROC": 0.75}, "filteringRates": [{"bound": 50, "removed": 75,
            "poisonedRemoved": 60}], "histograms": [{"title": "loss", "lower": 0, "upper": 1, "clean": [1],
            "poisoned": [2]}], "maps": [], "pictures": []}, "samples": []
          """
      }.write(in: folder)
      let run = try #require(try RunIndex(of: folder).runs().first)
      #expect(run.status == .finished, "\(run.failure ?? "")")
      #expect(run.values["truePositiveRate"] == 0.75 && run.values["filteringRate.50"] == 0.8)
      #expect(abs((run.values["falsePositiveRate"] ?? 0) - 125.0 / 900) < 1e-12 && run.values["areaUnderROC"] == 0.75)
      #expect(run.values["poisonKept"] == 25 && run.values["poisonShareKept"] == 25.0 / 800)
      let grid = try ResultGrid([run])
      #expect(grid.metrics.suffix(4).map(\.abbreviation) == ["TPR", "FPR", "AUC", "SFR 50"])
    }
  }

  /// A run that a process works on stays, whole.
  @Test func removingARun() throws {
    try withTemporaryFolder { folder in
      let path = try SampleRun().write(in: folder)
      try Data("x".utf8).write(to: URL(fileURLWithPath: path + "/model.safetensors"))
      let claim = try RunDirectory.create(at: path, id: SampleRun().id)
      #expect(throws: RunStoreError.self) { try RunDirectory.remove(path) }
      #expect(FileManager.default.fileExists(atPath: path + "/model.safetensors"))
      claim.release()
      try RunDirectory.remove(path + "/")
      #expect(!FileManager.default.fileExists(atPath: path))
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      #expect(throws: RunStoreError.self) { try RunDirectory.remove(path) }
      #expect(FileManager.default.fileExists(atPath: path))
    }
  }

  /// Numbers that SQLite has no place for.
  @Test func valuesThatAreNotFinite() throws {
    try withTemporaryFolder { folder in
      let path = try SampleRun().write(in: folder)
      let text = try String(contentsOfFile: path + "/record.json", encoding: .utf8)
      try text.replacing("0.02", with: "\"NaN\"").write(
        toFile: path + "/record.json", atomically: true, encoding: .utf8)
      let run = try #require(try RunIndex(of: folder).runs().first)
      #expect(run.values["attackSuccessRate"]?.isNaN == true)
      #expect(run.flags.contains { $0.flag == .notFinite })
    }
  }

  /// The full measure is of 10,000 records in release; see docs/results.md.
  @Test func manyRunsAreListedQuickly() throws {
    try withTemporaryFolder { folder in
      for seed in 0..<300 {
        try SampleRun { run in
          run.seed = seed
          run.attack = ["badnets", "blended", "wanet"][seed % 3]
          run.rate = [0.01, 0.1][seed % 2]
        }.write(in: folder)
      }
      let clock = ContinuousClock()
      let built = try clock.measure { _ = try RunIndex(of: folder) }
      var count = 0
      let listed = try clock.measure {
        let query = RunQuery(conditions: [try RunCondition("attack.rate=0.1"), try RunCondition("attack.name=wanet")])
        count = try query.select(from: RunIndex(of: folder).runs()).count
      }
      #expect(count == 50)
      // Unoptimised code on a busy machine: ten times what it takes here.
      #expect(built < .seconds(20) && listed < .seconds(3))
    }
  }
}

struct RunQueryTests {
  private func runs() throws -> [RunSummary] {
    try withTemporaryFolder { folder in
      try SampleRun { $0.attackSettings = "\"target\": 3, \"list\": [1, 2]" }.write(in: folder)
      try SampleRun { ($0.rate, $0.accuracy) = (0.05, 0.8) }.write(in: folder)
      try SampleRun { ($0.defense, $0.accuracy, $0.before) = ("ft", 0.85, nil) }.write(in: folder)
      try SampleRun { ($0.defense, $0.status) = ("none", "failed") }.write(in: folder)
      return try RunIndex(of: folder).runs()
    }
  }

  private func folders(_ conditions: [String], order: String? = nil) throws -> [String] {
    let query = RunQuery(conditions: try conditions.map { try RunCondition($0) }, order: order)
    return try query.select(from: runs()).map(\.folder)
  }

  @Test func conditions() throws {
    let (sau, low, ft, none) = (
      "badnets-0.1-sau-cifar10-0", "badnets-0.05-sau-cifar10-0", "badnets-0.1-ft-cifar10-0",
      "badnets-0.1-none-cifar10-0"
    )
    #expect(try folders(["attack.rate=0.1"]) == [ft, none, sau])
    #expect(try folders(["attack.rate=1e-1", "defense.name=sau"]) == [sau])
    #expect(try folders(["defense=sau,none"]) == [low, none, sau])
    #expect(try folders(["defense.name!=none"]) == [low, ft, sau])
    #expect(try folders(["accuracy>=0.85", "status=finished"]) == [ft, sau])
    #expect(try folders(["ACC<0.85"]) == [low])
    #expect(try folders(["attack.target=3"]) == [sau])
    #expect(try folders(["attack.list=[1, 2]"]) == [sau])
    // Runs without the setting differ.
    #expect(try folders(["attack.target!=3"]) == [low, ft, none])
    #expect(try folders(["attack.target<4"]) == [sau])
    #expect(try folders(["dataset.train=null", "seed=0", "status!=finished"]) == [none])
  }

  /// A run has any number of flags: one that is named is one of them.
  @Test func conditionsOnFlags() throws {
    let found = try withTemporaryFolder { folder in
      try SampleRun { ($0.seed, $0.testCount, $0.before) = (1, 150, (0.92, 0.3)) }.write(in: folder, "two")
      try SampleRun { ($0.seed, $0.testCount) = (2, 150) }.write(in: folder, "one")
      try SampleRun { $0.seed = 3 }.write(in: folder, "none")
      return try RunIndex(of: folder).runs()
    }
    #expect(found.map { $0.flags.count }.sorted() == [0, 1, 2], "\(found.map { $0.flags.map(\.id) })")
    func folders(_ condition: String) throws -> [String] {
      try RunQuery(conditions: [RunCondition(condition)]).select(from: found).map(\.folder).sorted()
    }
    #expect(try folders("flags=few-test-images") == ["one", "two"])
    #expect(try folders("flags=weak-attack,chance-accuracy") == ["two"])
    #expect(try folders("flags!=weak-attack") == ["none", "one"])
    #expect(try folders("flags=few") == [])
  }

  @Test func order() throws {
    let (sau, low, ft, none) = (
      "badnets-0.1-sau-cifar10-0", "badnets-0.05-sau-cifar10-0", "badnets-0.1-ft-cifar10-0",
      "badnets-0.1-none-cifar10-0"
    )
    #expect(try folders([], order: "attack.rate").first == low)
    #expect(try folders(["status=finished"], order: "-accuracy") == [sau, ft, low])
    // What has no value comes last in either direction: ft has no DER.
    #expect(try folders(["status=finished"], order: "DER").last == ft)
    #expect(try folders(["status=finished"], order: "-DER").last == ft)
    #expect(try folders([], order: "-defense.name") == [low, sau, none, ft])
  }

  @Test func wrongNamesAreExplained() throws {
    for (condition, words) in [("attack.rte=0.1", "attack.rate"), ("acuracy>1", "accuracy"), ("nonsense", "key=value")]
    {
      do {
        _ = try folders([condition])
        Issue.record("\(condition) was taken")
      } catch { #expect("\(error)".contains(words), "\(error)") }
    }
  }
}

struct RunTableTests {
  @Test func tablesAndDifferences() throws {
    try withTemporaryFolder { folder in
      try SampleRun().write(in: folder)
      try SampleRun { ($0.rate, $0.accuracy, $0.more) = (0.05, 0.8005, "\"failure\": \"a, \\\"b\\\"\"") }.write(
        in: folder)
      let runs = try RunIndex(of: folder).runs()
      let text = try RunTable(runs, columns: nil).text.split(separator: "\n")
      #expect(text.count == 3 && text[0].contains("attack.rate") && text[0].contains("DER") && !text[0].contains("TPR"))
      #expect(text[1].contains("80.1") && text[2].contains("90.0"))
      let csv = try RunTable(runs, columns: ["folder", "ACC", "failure", "dataset.train"]).csv
      #expect(
        csv == """
          folder,ACC,failure,dataset.train
          badnets-0.05-sau-cifar10-0,0.8005,"a, ""b""\",
          badnets-0.1-sau-cifar10-0,0.9,,

          """)
      // The defense's rating: (0.95 - 0.02 + 1) / 2 without a change of accuracy.
      #expect(try RunTable(runs, columns: ["DER", "attack.rate"]).csv.contains("0.965,0.1\n"))
      let read = try CSVTable(csv, path: "runs.csv").rows
      #expect(read.map(\.fields)[0] == ["badnets-0.05-sau-cifar10-0", "0.8005", "a, \"b\"", ""])
      let difference = RunDifference(runs[0], runs[1])
      #expect(difference.settings.map(\.key) == ["attack.rate"])
      // 80.1% and 90.0% are shown.
      #expect(difference.text.contains("+9.9"))
      #expect(difference.json["settings"]?["attack.rate"] == [0.05, 0.1])
    }
  }
}
