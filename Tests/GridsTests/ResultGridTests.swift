import Experiments
import Files
import Foundation
import Support
import TestFiles
import TestRuns
import Testing

@testable import Grids

/// Runs from a folder that is gone again.
func runs(_ samples: [SampleRun]) throws -> [RunSummary] {
  try withTemporaryFolder { folder in
    for (number, sample) in samples.enumerated() { try sample.write(in: folder, "run-\(number)") }
    return try RunIndex(of: folder).runs()
  }
}

struct ResultGridTests {
  /// Two attacks, two defenses, two seeds; SAU better than fine-tuning against BadNets by ASR, by little.
  static var samples: [SampleRun] {
    ["badnets", "blended"].flatMap { attack in
      [("sau", 0.02, 0.90), ("ft", 0.30, 0.92)].flatMap { defense, rate, accuracy in
        [0, 1].map { seed in
          SampleRun { run in
            (run.attack, run.defense, run.seed) = (attack, defense, seed)
            run.attackSuccessRate = rate + 0.02 * Double(seed)
            run.accuracy = accuracy
            run.before = (0.93 + 0.01 * Double(seed), 0.97)
          }
        }
      }
    }
  }

  @Test func meansOverSeeds() throws {
    let grid = try ResultGrid(runs(Self.samples))
    let table = try #require(grid.tables.first)
    #expect(grid.tables.count == 1 && table.label.text.isEmpty)
    #expect(table.rows.map(\.text) == ["badnets", "blended"])
    #expect(table.columns.map(\.text) == ["none", "ft", "sau"] && table.undefended == [0])
    let cell = try #require(table.cells[0][2]?[.attackSuccessRate])
    #expect(cell.count == 2 && abs(cell.mean - 0.03) < 1e-12)
    // Two values 0.02 apart: the deviation of the sample is 0.02 / sqrt(2).
    #expect(abs((cell.deviation ?? 0) - 0.02 / 2.0.squareRoot()) < 1e-12)
    // The undefended model is counted once a seed, though two defenses measured it.
    let before = try #require(table.cells[1][0]?[.accuracy])
    #expect(before.count == 2 && abs(before.mean - 0.935) < 1e-12)
    #expect(table.cells[1][0]?[.defenseEffectiveness] == nil)
    #expect(ResultMetric.attackSuccessRate.text(cell) == "3.0 ± 1.4")
    #expect(grid.metrics.map(\.abbreviation) == ["ACC", "ASR", "R-ACC", "DER"])
  }

  /// A preset tells variants of a defense apart by itself, and is not said of defenses that have none.
  @Test func presetsAreColumns() throws {
    let samples = [
      ("spectral", ""), ("spectral", "\"preset\": \"backdoorbench\", \"centred\": false"), ("ft", ""),
    ].map { name, settings in
      SampleRun { ($0.defense, $0.defenseSettings) = (name, settings.isEmpty ? "\"centred\": true" : settings) }
    }
    let table = try #require(ResultGrid(runs(samples)).tables.first)
    #expect(table.columns.map(\.text) == ["none", "ft", "spectral", "spectral, preset backdoorbench"])
  }

  @Test func marksAndAverages() throws {
    let grid = try ResultGrid(runs(Self.samples))
    let table = try #require(grid.tables.first)
    // The undefended model has the best accuracy, and is out of the running.
    #expect(table.marks(row: 0, .accuracy) == [1: .best, 2: .second])
    #expect(table.marks(row: 0, .attackSuccessRate) == [2: .best, 1: .second])
    #expect(table.marks(row: 0, .robustAccuracy) == [:])
    #expect(abs((table.average(column: 1, .attackSuccessRate) ?? 0) - 0.31) < 1e-12)
    #expect(table.average(column: 1, .truePositiveRate) == nil)
  }

  /// Columns that differ in more than the defense have an undefended model each; none of them competes, wherever the
  /// defense stands among the settings.
  @Test(arguments: [["defense.name", "recipe.epochs"], ["recipe.epochs", "defense.name"]])
  func undefendedModelsAreOutOfTheRunning(columns: [String]) throws {
    let samples = try [12, 40].flatMap { epochs in
      try runs([
        SampleRun { ($0.defense, $0.before, $0.accuracy) = ("none", nil, 0.95) },
        SampleRun { ($0.defense, $0.accuracy) = ("ft", epochs == 12 ? 0.8 : 0.7) },
      ]).map { run in
        var run = run
        run.settings["recipe"]?["epochs"] = .int(epochs)
        return run
      }
    }
    let table = try #require(ResultGrid(samples, layout: .init(columns: columns)).tables.first)
    let texts = table.columns.indices.map(table.text(ofColumn:))
    #expect(table.undefended.count == 2 && texts.allSatisfy { $0.contains("epochs 12") || $0.contains("epochs 40") })
    let marks = table.marks(row: 0, .accuracy)
    #expect(marks.count == 2 && marks.keys.allSatisfy { texts[$0].contains("ft") })
    #expect(marks.first { $0.value == .best }.map { texts[$0.key].contains("12") } == true)
  }

  /// A copy of a run is no further seed.
  @Test func copiesAreNoSeeds() throws {
    let samples = [0, 1, 1, 1].map { seed in SampleRun { ($0.seed, $0.accuracy) = (seed, 0.9 - 0.3 * Double(seed)) } }
    let grid = try ResultGrid(runs(samples))
    let cell = try #require(grid.tables[0].cells[0][1])
    #expect(cell.runs.count == 4 && cell.seedCount == 2)
    #expect(cell[.accuracy].map { $0.count == 2 && abs($0.mean - 0.75) < 1e-12 } == true)
    let pairs: [(seed: Int?, value: Double)] = [(1, 0.6), (0, 0.9), (1, 0.6), (1, 0.6)]
    #expect(Statistic(pairs)?.values.count == 2 && abs((Statistic(pairs)?.mean ?? 0) - 0.75) < 1e-12)
    let one = try ResultGrid(runs([SampleRun(), SampleRun()]))
    let items = GridComparison(one, named: "a", one, named: "b").items
    #expect(!items.isEmpty && items.allSatisfy { $0.isBeyondSpread == nil && $0.first.count == 1 })
  }

  /// Rows and columns are made of settings, and a metric that nothing has is a mistake.
  @Test func layoutsThatMeanNothing() throws {
    let runs = try runs(Self.samples)
    for (layout, words) in [
      (ResultGrid.Layout(rows: ["status"]), "status is no setting"), (.init(columns: ["ASR"]), "ASR is no setting"),
      (.init(metrics: [.truePositiveRate]), "no finished run has TPR; measured are ACC, ASR"),
    ] {
      let error = #expect(throws: SettingsError.self) { try ResultGrid(runs, layout: layout) }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  @Test func oraclesAreOutOfTheRunning() throws {
    var samples = Self.samples
    samples.append(SampleRun { ($0.defense, $0.attackSuccessRate) = ("oracle-filter", 0) })
    let table = try #require(try ResultGrid(runs(samples)).tables.first)
    let column = try #require(table.columns.firstIndex { $0.text == "oracle-filter" })
    #expect(table.cells[0][column]?.isOracle == true)
    #expect(table.marks(row: 0, .attackSuccessRate)[column] == nil)
    #expect(table.cells[0][column]?.flags.map(\.id).sorted() == ["oracle", "single-seed"])
    #expect(table.cells[0][1]?.flags.contains { $0.flag == .singleSeed } == false)
  }

  /// What tells runs of one attack apart becomes part of the rows; what depends on the attack does not.
  @Test func settingsThatTellCellsApart() throws {
    let samples = [0.01, 0.1].flatMap { rate in
      ["cifar10", "gtsrb"].map { dataset in
        SampleRun { ($0.rate, $0.dataset, $0.attackSettings) = (rate, dataset, "\"target\": 0") }
      }
    }
    let others = ["cifar10", "gtsrb"].map { dataset in
      SampleRun { ($0.attack, $0.dataset, $0.attackSettings) = ("blended", dataset, "\"alpha\": 0.2") }
    }
    let grid = try ResultGrid(runs(samples + others))
    #expect(grid.tables.map(\.label.text) == ["cifar10", "gtsrb"])
    #expect(grid.tables[0].rows.map(\.text) == ["badnets, rate 0.01", "badnets, rate 0.1", "blended, rate 0.1"])
    let chosen = try ResultGrid(
      runs(samples + others), layout: .init(rows: ["attack.rate"], columns: ["attack.name", "dataset.name"]))
    #expect(chosen.tables[0].columns.map(\.text).first == "badnets, cifar10")
    #expect(throws: SettingsErrorOf.self) { try wrong(chosen.finished) }
  }

  private struct SettingsErrorOf: Error {}
  private func wrong(_ runs: [RunSummary]) throws {
    do { _ = try ResultGrid(runs, layout: .init(rows: ["attack.rte"])) } catch {
      #expect("\(error)".contains("attack.rate"))
      throw SettingsErrorOf()
    }
  }

  /// A defense that trains has no "before": the undefended run of the same settings and seed is.
  @Test func theRatingOfDefensesThatTrain() throws {
    let samples = [
      SampleRun { ($0.defense, $0.before, $0.accuracy, $0.attackSuccessRate) = ("none", nil, 0.9, 0.96) },
      SampleRun { ($0.defense, $0.before, $0.accuracy, $0.attackSuccessRate) = ("dbd", nil, 0.86, 0.02) },
      SampleRun { ($0.defense, $0.before, $0.seed) = ("dbd", nil, 1) },
    ]
    let grid = try ResultGrid(runs(samples))
    let rating = try #require(grid.tables[0].cells[0][1]?[.defenseEffectiveness])
    // (0.94 - 0.04 + 1) / 2, of seed 0 alone: seed 1 has no undefended run.
    #expect(rating.count == 1 && abs(rating.mean - 0.95) < 1e-12)
  }

  @Test func whatHasNotFinishedDoesNotCount() throws {
    var samples = Self.samples
    samples[0].status = "failed"
    samples[1].status = "interrupted"
    let grid = try ResultGrid(runs(samples))
    #expect(grid.unfinished.count == 2 && grid.tables[0].cells[0][2] == nil)
    #expect(grid.tables[0].average(column: 2, .accuracy) == nil)
  }
}

struct GridComparisonTests {
  @Test func ranks() {
    #expect(RankCorrelation.ranks([0.3, 0.1, 0.3, 0.2]) == [3.5, 1, 3.5, 2])
    #expect(RankCorrelation.spearman([1, 2, 3, 4], [10, 20, 30, 40]) == 1)
    #expect(RankCorrelation.spearman([1, 2, 3], [3, 2, 1]) == -1)
    // By hand: ranks 1 2 3 4 and 2 1 4 3, 1 - 6 * 4 / (4 * 15).
    #expect(abs((RankCorrelation.spearman([1, 2, 3, 4], [2, 1, 4, 3]) ?? 0) - 0.6) < 1e-12)
    #expect(
      RankCorrelation.spearman([1, 2], [1, 2]) == nil && RankCorrelation.spearman([1, 1, 1], [1, 2, 3]) == nil)
  }

  static let paper = """
    title: A paper
    unit: percent
    settings: {dataset.name: cifar10, recipe.epochs: 100}
    values:
      - {attack: badnets, defense: sau, metric: ACC, value: 90.0, source: "table 2, BadNets"}
      - {attack: badnets, defense: sau, metric: ASR, value: 9.0, source: "table 2, BadNets"}
      - {attack: badnets, defense: none, metric: BA, value: 93.6, source: "table 2, BadNets"}
      - {attack: badnets, defense: ft, metric: ASR, value: 31, deviation: 2, attack.rate: 0.1, source: "table 2, BadNets"}
      - {attack: badnets, defense: ft, metric: ASR, value: 77, attack.rate: 0.5, source: "table 4, BadNets"}
      - {attack: badnets, defense: anp, metric: ASR, value: 5, source: "table 2, BadNets"}
    """

  @Test func aPaper() throws {
    let paper = try PublishedResults(Self.paper, source: "paper.yaml", isCSV: false)
    #expect(paper.values[0].value == 0.9 && paper.values[0].metric == .accuracy && paper.values.count == 6)
    let grid = try ResultGrid(runs(ResultGridTests.samples))
    let comparison = GridComparison(grid, named: "here", paper)
    func item(_ defense: String, _ metric: ResultMetric) -> GridComparison.Item? {
      comparison.items.first { $0.defense == defense && $0.metric == metric }
    }
    #expect(comparison.items.count == 4)
    // Both seeds gave 90.0: no difference, no spread.
    #expect(item("sau", .accuracy)?.isBeyondSpread == false)
    // 3.0 ± 1.4 (2) against 9.0: twice sqrt(1.41^2 / 2 + 1.41^2) is 3.46.
    let rate = try #require(item("sau", .attackSuccessRate))
    #expect(abs((rate.allowance ?? 0) - 2 * (0.0002 * 1.5).squareRoot()) < 1e-12 && rate.isBeyondSpread == true)
    #expect(item("ft", .attackSuccessRate)?.isBeyondSpread == false)
    #expect(item("none", .accuracy).map { abs($0.first.mean - 0.935) < 1e-12 } == true)
    #expect(comparison.settingsThatDiffer == ["recipe.epochs: 12 here, 100 there"])
    #expect(comparison.onlySecond == 2 && comparison.onlyFirst == 2)
    let text = comparison.text
    for words in ["3.0 ± 1.4 (2)", "-6.0", "*", "recipe.epochs", "4 numbers on both sides: 1 beyond"] {
      #expect(text.contains(words), "\(text)")
    }
    #expect(comparison.markdown.contains("| badnets | sau |") && comparison.markdown.contains("\\*"))
    #expect(comparison.json["values"]?.arrayValue?.count == 4)
    #expect(comparison.json["values"]?[0]?["source"] == "table 2, BadNets")
  }

  @Test func twoGrids() throws {
    var others = ResultGridTests.samples
    for place in others.indices { others[place].attackSuccessRate += others[place].defense == "sau" ? 0.4 : 0 }
    let grid = try ResultGrid(runs(ResultGridTests.samples))
    let comparison = GridComparison(grid, named: "a", try ResultGrid(runs(others)), named: "b")
    let beyond = comparison.items.filter { $0.isBeyondSpread == true }
    #expect(Set(beyond.map(\.metric.id)) == ["attackSuccessRate", "defenseEffectiveness"])
    #expect(beyond.allSatisfy { $0.defense == "sau" })
    #expect(comparison.items.contains { $0.defense == "none" && $0.difference == 0 })
    // One seed on each side: nothing can be said.
    let single = try ResultGrid(runs([SampleRun()]))
    #expect(GridComparison(single, named: "a", single, named: "b").items.allSatisfy { $0.isBeyondSpread == nil })
  }

  /// Two grids, and a grid and a paper: a rate is compared with the same rate alone.
  @Test func ratesAreApart() throws {
    func grid(_ rates: [(rate: Double, success: Double)]) throws -> ResultGrid {
      try ResultGrid(
        runs(rates.map { item in SampleRun { ($0.rate, $0.attackSuccessRate) = (item.rate, item.success) } }))
    }
    let first = try grid([(0.05, 0.10), (0.1, 0.30)])
    let comparison = GridComparison(first, named: "a", try grid([(0.05, 0.12), (0.1, 0.70)]), named: "b")
    let items = comparison.items.filter { $0.metric == .attackSuccessRate && $0.defense == "sau" }
    #expect(items.map(\.place) == ["rate 0.05", "rate 0.1"])
    #expect(zip(items, [-0.02, -0.4]).allSatisfy { abs($0.difference - $1) < 1e-12 }, "\(items.map(\.difference))")
    #expect(comparison.onlyFirst == 0 && comparison.onlySecond == 0)
    // The other side has one of them: the other one is only here.
    let one = GridComparison(first, named: "a", try grid([(0.1, 0.70)]), named: "b")
    let shared = one.items.filter { $0.metric == .attackSuccessRate && $0.defense == "sau" }
    #expect(shared.map(\.place) == ["rate 0.1"] && abs((shared.first?.difference ?? 0) + 0.4) < 1e-12)
    #expect(one.onlyFirst == 2 && one.onlySecond == 0)
    let text = """
      settings: {attack.rate: 0.1}
      values: [{attack: badnets, defense: sau, metric: ASR, value: 0.5, source: t}]
      """
    let paper = GridComparison(first, named: "a", try PublishedResults(text, source: "p.yaml", isCSV: false))
    #expect(paper.items.count == 1 && paper.items[0].first.count == 1 && abs(paper.items[0].first.mean - 0.3) < 1e-12)
  }

  /// Variants that a paper does not tell apart stand beside its number each; their difference is no spread of seeds.
  @Test func variantsAreApart() throws {
    let samples = [("short", 0.2), ("long", 0.8)].flatMap { length, accuracy in
      [0, 1].map { seed in
        SampleRun {
          ($0.defense, $0.seed, $0.accuracy) = ("ft", seed, accuracy + 0.01 * Double(seed))
          $0.defenseSettings = "\"length\": \"\(length)\""
        }
      }
    }
    let text = "values: [{attack: badnets, defense: ft, metric: ACC, value: 0.5, source: t}]"
    let paper = try PublishedResults(text, source: "p.yaml", isCSV: false)
    let items = try GridComparison(ResultGrid(runs(samples)), named: "a", paper).items
    #expect(items.map(\.place) == ["length long", "length short"])
    #expect(zip(items, [0.805, 0.205]).allSatisfy { abs($0.first.mean - $1) < 1e-12 && $0.first.count == 2 })
    #expect(items.allSatisfy { $0.isBeyondSpread == true })
  }

  /// Settings whose names end alike are told apart.
  @Test func settingsOfOneNameAreApart() throws {
    let samples = [3, 5].map { size in SampleRun { $0.attackSettings = "\"target\": \(size)" } }
    let text = """
      values:
        - {attack: badnets, defense: sau, metric: ACC, value: 0.5, attack.target: 3, source: t}
        - {attack: badnets, defense: sau, metric: ACC, value: 0.6, model.target: 3, source: t}
      """
    let comparison = try GridComparison(
      ResultGrid(runs(samples)), named: "a", PublishedResults(text, source: "p.yaml", isCSV: false))
    #expect(comparison.items.map(\.place) == ["attack.target 3"] && comparison.items[0].second.mean == 0.5)
    #expect(comparison.onlySecond == 1)
  }

  @Test func noNumberIsWithinNothing() throws {
    var samples = ResultGridTests.samples
    for place in samples.indices { samples[place].attackSettings = "\"note\": \"a|b <i>\"" }
    var summaries = try runs(samples)
    for place in summaries.indices { summaries[place].values["accuracy"] = .nan }
    let grid = try ResultGrid(summaries)
    let comparison = GridComparison(grid, named: "a|b", grid, named: "<b>")
    let items = comparison.items.filter { $0.metric == .accuracy && $0.defense != "none" }
    #expect(!items.isEmpty && items.allSatisfy { $0.isBeyondSpread == nil })
    #expect(comparison.markdown.contains("a\\|b") && comparison.markdown.contains("&lt;b>"))
  }

  @Test func theOrderOfDefenses() throws {
    let samples = [("sau", 0.1), ("ft", 0.2), ("anp", 0.3)].map { defense, rate in
      SampleRun { ($0.defense, $0.attackSuccessRate) = (defense, rate) }
    }
    var reversed = samples
    for place in reversed.indices { reversed[place].attackSuccessRate = 0.5 - reversed[place].attackSuccessRate }
    let comparison = GridComparison(
      try ResultGrid(runs(samples)), named: "a", try ResultGrid(runs(reversed)), named: "b")
    let order = try #require(comparison.orders.first { $0.metric == .attackSuccessRate })
    #expect(order.attack == "badnets" && order.correlation == -1 && order.defenses == 3)
    #expect(comparison.text.contains("-1.00"))
  }

  @Test func csv() throws {
    let text = """
      attack,defense,metric,value,source,attack.rate,unit
      badnets,sau,ACC,0.9,"table 1, a",0.1,
      badnets,sau,ASR,2,"table 1, a",0.1,percent
      """
    let paper = try PublishedResults(text, source: "paper.csv", isCSV: true)
    #expect(paper.values.map(\.value) == [0.9, 0.02] && paper.values[0].settings == ["attack.rate": 0.1])
    // As spreadsheets of other countries write it; and the line of what is wrong, after a field of two lines.
    let semicolons = try PublishedResults(text.replacing(",", with: ";"), source: "paper.csv", isCSV: true)
    #expect(semicolons.values.count == 2)
    let wrong = text.replacing("table 1, a", with: "table 1,\na") + "\nbadnets,sau,AC,0.9,t,0.1,"
    let error = #expect(throws: ParseError.self) { try PublishedResults(wrong, source: "paper.csv", isCSV: true) }
    #expect(error?.description.contains("paper.csv:6") == true, "\(String(describing: error))")
  }

  @Test(arguments: [
    ("  - {attack: badnets, defense: sau, metric: AC, value: 1, source: a}", ["paper.yaml:3", "metric", "ACC"]),
    ("  - {attack: badnets, defense: sau, metric: ACC, value: 93.2, source: a}", ["unit: percent"]),
    ("  - {attack: badnets, defense: sau, metric: ACC, source: a}", ["value", "is missing"]),
    ("  - {attack: badnets, defense: sau, metric: ACC, value: 0.9, sorce: a}", ["sorce", "source"]),
    (
      "  - {attack: badnets, defense: sau, metric: ACC, value: 0.9, deviation: -1, source: a}",
      ["paper.yaml:3", "from 0"]
    ),
    (
      "  - {attack: badnets, defense: sau, metric: ACC, value: 0.9, deviation: few, source: a}",
      ["deviation", "from 0"]
    ),
    ("  - {attack: a, defense: b, metric: ACC, value: 0.9, deviation: .nan, source: a}", ["deviation", "from 0"]),
    (
      "  - {attack: a, defense: b, metric: ACC, value: 0.9, source: c}\n"
        + "  - {attack: a, defense: b, metric: BA, value: 0.8, source: d}",
      ["paper.yaml:4", "ACC of b against a", "stands here twice"]
    ),
    (
      "  - {attack: a, defense: b, metric: ACC, value: 0.9, source: c}\nsettings: 5",
      ["paper.yaml:4", "found the number 5"]
    ),
    (
      "  - {attack: a, defense: b, metric: ACC, value: 0.9, source: c}\nsettings: {dataset: {name: cifar10}}",
      ["settings.dataset", "dotted names"]
    ),
  ])
  func whatIsWrongIsNamed(line: String, words: [String]) {
    do {
      _ = try PublishedResults("title: x\nvalues:\n\(line)\n", source: "paper.yaml", isCSV: false)
      Issue.record("it was taken: \(line)")
    } catch { for word in words { #expect("\(error)".contains(word), "\(error)") } }
  }

  /// Every table of the repository can be read, and speaks of methods that there are.
  @Test func thePapersOfTheRepository() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "../../experiments/papers"
    ).standardized.path
    let names = try FileSystem.list(folder)
    #expect(names.count >= 12)
    let catalog = Catalog()
    let attacks = Set(catalog.entries(.attacks).map(\.name) + ["none"])
    let defenses = Set(catalog.entries(.defenses).map(\.name) + ["none"])
    for name in names {
      let paper = try PublishedResults(contentsOf: Path.join(folder, name))
      #expect(!paper.values.isEmpty && Set(paper.values.map(\.attack)).isSubset(of: attacks), "\(name)")
      #expect(Set(paper.values.map(\.defense)).isSubset(of: defenses), "\(name)")
      #expect(paper.values.allSatisfy { $0.metric.kind != .share || (0...1).contains($0.value) }, "\(name)")
      let settings = catalog.entries.flatMap { entry in entry.settings.map { entry.prefix + $0.key } }
      let known = Set(settings + ["dataset.name", "model.name"])
      let used = Set(paper.settings.keys).union(paper.values.flatMap(\.settings.keys))
      #expect(used.isSubset(of: known), "\(name): \(used.subtracting(known))")
    }
    // Two numbers read off the pages by eye.
    let sau = try PublishedResults(contentsOf: Path.join(folder, "sau-table-2.yaml"))
    let wanet = sau.values.first {
      $0.attack == "wanet-training" && $0.defense == "sau" && $0.metric == .attackSuccessRate
    }
    #expect(wanet?.value == 0.0102 && wanet?.source == "table 2, WaNet, SAU (Ours)")
    let rates = try PublishedResults(contentsOf: Path.join(folder, "dbd-table-22.yaml"))
    #expect(rates.values.first { $0.attack == "blended" && $0.metric.id == "filteringRate.1000" }?.value == 0.2887)
  }
}
