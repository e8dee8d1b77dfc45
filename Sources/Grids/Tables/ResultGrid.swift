public import Experiments
public import Files
import Foundation
public import Support

/// Runs as tables of attacks by defenses, or by any other settings.
///
/// The runs of one cell differ in the seed alone. Which settings tell cells apart is found out from the records: what
/// differs among the runs of one attack, such as the poisoning rate, becomes part of the rows' labels, what differs
/// among the runs of one defense part of the columns', and what is left, such as the data set, makes tables of its own.
public struct ResultGrid: Sendable {
  /// What the reader chose; nil leaves the choice to the grid.
  public struct Layout: Sendable {
    /// Settings that make a row.
    public var rows: [String]?
    /// Settings that make a column.
    public var columns: [String]?
    public var metrics: [ResultMetric]?

    public init(rows: [String]? = nil, columns: [String]? = nil, metrics: [ResultMetric]? = nil) {
      (self.rows, self.columns, self.metrics) = (rows, columns, metrics)
    }
  }

  /// The values of some settings: what a row, a column or a table is about.
  public struct Label: Sendable, Hashable {
    public let keys: [String]
    public let values: [JSONValue]

    /// The value of one of the settings.
    public subscript(key: String) -> JSONValue? { keys.firstIndex(of: key).map { values[$0] } }

    /// "badnets", "badnets, rate 0.1", "width 16". Settings that an attack or a defense does not have, or leaves open, are
    /// left out.
    public var text: String { text(named: Self.lastPart) }

    /// The same with other names.
    /// - Parameter name: of a setting by its dotted name; "name" is left out.
    func text(named name: (_ key: String) -> String) -> String {
      zip(keys, values).compactMap { key, value in
        if value.isNull, key.hasPrefix("attack.") || key.hasPrefix("defense.") { return nil }
        let (name, shown) = (name(key), value.isNull ? "not set" : value.plainText)
        return name == "name" ? shown : "\(name) \(shown)"
      }.joined(separator: ", ")
    }

    static func lastPart(of key: String) -> String { key.split(separator: ".").last.map(String.init) ?? key }
  }

  /// The runs of one cell. Those of one seed, such as a copy, count once, by their mean.
  public struct Cell: Sendable {
    public let runs: [RunSummary]
    public var seedCount: Int { Set(runs.map { $0.seed ?? 0 }).count }
    /// By ``ResultMetric/id``.
    public let statistics: [String: Statistic]
    /// The flags of the runs, and those of the cell itself; each once.
    public let flags: [RaisedFlag]
    /// Whether these are the models that the runs of defenses began with, rather than runs without a defense.
    public let isDerived: Bool

    public subscript(metric: ResultMetric) -> Statistic? { statistics[metric.id] }
    /// Whether the defense knew what no defender knows.
    public var isOracle: Bool { flags.contains { $0.flag == .oracle } }
  }

  /// Rows and columns under the same further settings.
  public struct Table: Sendable {
    /// The settings in which this table differs from the others; empty where there is only one.
    public let label: Label
    public let rows: [Label]
    public let columns: [Label]
    /// By row and column; nil where no run has finished.
    public let cells: [[Cell?]]
    /// The columns of undefended models: one, unless columns differ in more than the defense.
    public let undefended: Set<Int>

    /// What a column is called: "none" where there is one of that kind.
    public func text(ofColumn column: Int) -> String {
      undefended == [column] ? "none" : columns[column].text
    }
  }

  public let tables: [Table]
  /// What is shown: what the layout names, or what was measured.
  public let metrics: [ResultMetric]
  /// Runs that count in no cell: those that have not finished, failed or cannot be read.
  public let unfinished: [RunSummary]
  /// All runs that count.
  public let finished: [RunSummary]

  /// - Throws: `SettingsError` for a setting that no run has, and where no finished run has any of the metrics.
  public init(_ runs: [RunSummary], layout: Layout = Layout()) throws(SettingsError) {
    for key in (layout.rows ?? []) + (layout.columns ?? []) { try RunQuery.checkSetting(key, in: runs) }
    let finished = Self.withEffectiveness(runs.filter { $0.status == .finished })
    self.finished = finished
    unfinished = runs.filter { $0.status != .finished }
    let keys = GridKeys(finished, layout)
    var groups: [Label: [(row: Label, column: Label, run: RunSummary)]] = [:]
    for run in finished {
      groups[Label(keys: keys.tables, of: run), default: []].append(
        (Label(keys: keys.rows, of: run), Label(keys: keys.columns, of: run), run))
    }
    // Where columns differ in what the model is trained with too, no one model is that of all.
    let derives = keys.columns.contains("defense.name") && keys.columns.allSatisfy { $0.hasPrefix("defense.") }
    tables = groups.keys.sorted().map { Self.table($0, groups[$0] ?? [], derives: derives) }
    metrics = layout.metrics ?? Self.measured(finished)
    if !finished.isEmpty, !metrics.isEmpty,
      !metrics.contains(where: { metric in finished.contains { $0.values[metric.id] != nil } })
    {
      throw SettingsError(
        "",
        "no finished run has \(metrics.map(\.abbreviation).joined(separator: ", ")); measured are "
          + "\(Self.measured(finished).map(\.abbreviation).joined(separator: ", ")).")
    }
  }

  /// The usual metrics that some run has, and the filtering rates.
  private static func measured(_ runs: [RunSummary]) -> [ResultMetric] {
    let names = runs.reduce(into: Set<String>()) { $0.formUnion($1.values.keys) }
    let usual = ResultMetric.usual + [try? ResultMetric.named("targetedMisclassification")].compactMap { $0 }
    let rates = names.compactMap { name -> Int? in
      guard name.hasPrefix(ResultMetric.filteringRatePrefix) else { return nil }
      return Int(name.dropFirst(ResultMetric.filteringRatePrefix.count))
    }
    return usual.filter { names.contains($0.id) } + rates.sorted().map { ResultMetric.filteringRate(bound: $0) }
  }

  private static func table(
    _ label: Label, _ runs: [(row: Label, column: Label, run: RunSummary)], derives: Bool
  ) -> Table {
    let rows = Set(runs.map(\.row)).sorted()
    var columns = Set(runs.map(\.column)).sorted()
    var members: [Label: [Label: [RunSummary]]] = [:]
    for (row, column, run) in runs { members[row, default: [:]][column, default: []].append(run) }
    func isUndefended(_ column: Label) -> Bool { column["defense.name"] == "none" }
    // Every run of a defense that purifies has measured the model without it.
    let before: [Cell?] = derives ? rows.map { Self.undefended(runs: runs, row: $0) } : rows.map { _ in nil }
    if derives, !columns.contains(where: isUndefended), before.contains(where: { $0 != nil }),
      let keys = columns.first?.keys
    {
      columns.insert(Label(keys: keys, values: keys.map { $0 == "defense.name" ? "none" : JSONValue.null }), at: 0)
    }
    let undefended = Set(columns.indices.filter { isUndefended(columns[$0]) })
    let cells = rows.indices.map { row in
      columns.indices.map { column -> Cell? in
        if let runs = members[rows[row]]?[columns[column]] { return Cell(runs) }
        return undefended == [column] ? before[row] : nil
      }
    }
    return Table(label: label, rows: rows, columns: columns, cells: cells, undefended: undefended)
  }

  /// The undefended models of a row, one a seed: defenses of one seed share theirs.
  private static func undefended(runs: [(row: Label, column: Label, run: RunSummary)], row: Label) -> Cell? {
    var seeds: [Int: RunSummary] = [:]
    for item in runs where item.row == row && item.run.values["accuracyBefore"] != nil {
      let seed = item.run.seed ?? 0
      if seeds[seed] == nil { seeds[seed] = item.run }
    }
    let runs = seeds.sorted { $0.key < $1.key }.map { _, run in
      var copy = run
      copy.values = ["accuracy", "attackSuccessRate", "robustAccuracy"].reduce(into: [:]) { values, name in
        values[name] = run.values[name + "Before"]
      }
      copy.flags = run.flags.filter { [.weakAttack, .fewTestImages].contains($0.flag) }
      return copy
    }
    return runs.isEmpty ? nil : Cell(runs, isDerived: true)
  }

  /// Gives runs of defenses that train the rating against the undefended run of the same settings and seed.
  private static func withEffectiveness(_ runs: [RunSummary]) -> [RunSummary] {
    func key(_ run: RunSummary) -> String {
      let leaves = run.leaves
      // The clean images matter to the backdoored model only where they are taken out of its training.
      let isTaken = leaves["clean.disjoint"] == .bool(true) || (leaves["clean.unlabeled"]?.doubleValue ?? 0) > 0
      let own = leaves.filter { key, _ in
        key == "seed"
          || !(GridKeys.isNeutral(key) || key.hasPrefix("defense.") || (key.hasPrefix("clean.") && !isTaken))
      }
      return JSONValue.object(own).canonicalJSON
    }
    guard runs.contains(where: { $0.values["defenseEffectiveness"] == nil && $0.defense != "none" }) else {
      return runs
    }
    var models: [String: (accuracy: Double, rate: Double)] = [:]
    for run in runs {
      let end = run.defense == "none" ? "" : "Before"
      if let accuracy = run.values["accuracy" + end], let rate = run.values["attackSuccessRate" + end] {
        models[key(run)] = (accuracy, rate)
      }
    }
    return runs.map { run in
      guard run.values["defenseEffectiveness"] == nil, run.defense != "none", let accuracy = run.values["accuracy"],
        let rate = run.values["attackSuccessRate"], let model = models[key(run)]
      else { return run }
      var copy = run
      copy.values["defenseEffectiveness"] = DefenseEffectiveness.rating(
        accuracyBefore: model.accuracy, attackSuccessRateBefore: model.rate, accuracyAfter: accuracy,
        attackSuccessRateAfter: rate)
      return copy
    }
  }
}

extension ResultGrid.Cell {
  init(_ runs: [RunSummary], isDerived: Bool = false) {
    self.isDerived = isDerived
    self.runs = runs.sorted { ($0.seed ?? 0, $0.folder) < ($1.seed ?? 0, $1.folder) }
    let names = Set(runs.flatMap(\.values.keys))
    statistics = names.reduce(into: [:]) { $0[$1] = Statistic($1, of: runs) }
    var flags: [RaisedFlag] = []
    for flag in self.runs.flatMap(\.flags) where !flags.contains(where: { $0.id == flag.id }) { flags.append(flag) }
    let seeds = Set(runs.map { $0.seed ?? 0 })
    if seeds.count == 1, let seed = seeds.first {
      let count = runs.count == 1 ? "One run" : "\(runs.count) runs"
      flags.append(RaisedFlag(.singleSeed, "\(count), of seed \(seed)."))
    }
    self.flags = flags
  }
}

extension ResultGrid {
  /// The settings that make rows, columns and tables of these runs.
  public static func keys(of runs: [RunSummary], layout: Layout) -> (
    rows: [String], columns: [String], tables: [String]
  ) {
    let keys = GridKeys(runs, layout)
    return (keys.rows, keys.columns, keys.tables)
  }
}

extension ResultGrid.Label {
  /// The values that a run has.
  public init(keys: [String], of run: RunSummary) {
    self.init(keys: keys, values: keys.map { run.setting($0) ?? .null })
  }
}

extension ResultGrid.Label: Comparable {
  /// By the values in turn: "none" first, numbers by size, text by its letters.
  public static func < (a: Self, b: Self) -> Bool {
    for (left, right) in zip(a.values, b.values) where left != right {
      if left == "none" || right == "none" { return left == "none" }
      if let left = left.doubleValue, let right = right.doubleValue { return left < right }
      if left.isNull || right.isNull { return left.isNull }
      return left.plainText < right.plainText
    }
    return false
  }
}

extension ResultGrid.Table {
  public enum Mark: Sendable { case best, second }

  /// The best and the second best column of a row, by what is shown: equal numbers share a mark. The undefended model
  /// and oracles are out of the running.
  public func marks(row: Int, _ metric: ResultMetric) -> [Int: Mark] {
    let values = columns.indices.compactMap { column -> (column: Int, value: Double)? in
      guard !undefended.contains(column), let cell = cells[row][column], !cell.isOracle, let mean = cell[metric]?.mean,
        mean.isFinite, let shown = Double(metric.kind == .seconds ? "\(mean)" : metric.text(mean))
      else { return nil }
      return (column, metric.higherIsBetter ? -shown : shown)
    }
    let ranks = Set(values.map(\.value)).sorted()
    guard values.count > 1, ranks.count > 1 else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: values.compactMap { item -> (Int, Mark)? in
        item.value == ranks[0] ? (item.column, .best) : item.value == ranks[1] ? (item.column, .second) : nil
      })
  }

  /// The mean of a column over its rows; nil unless every row has a value and there are several.
  public func average(column: Int, _ metric: ResultMetric) -> Double? {
    let values = rows.indices.compactMap { cells[$0][column]?[metric]?.mean }
    guard values.count == rows.count, values.count > 1 else { return nil }
    return values.reduce(0, +) / Double(values.count)
  }

  /// Whether any cell has the metric.
  public func has(_ metric: ResultMetric) -> Bool { cells.contains { $0.contains { $0?[metric] != nil } } }
}
