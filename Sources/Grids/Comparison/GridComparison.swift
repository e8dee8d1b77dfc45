import Files

/// Two grids, or a grid and what a paper printed, cell by cell.
public struct GridComparison: Sendable {
  /// One number on both sides.
  public struct Item: Sendable {
    public var attack: String
    public var defense: String
    /// What tells the cell from others of the same attack and defense; empty where nothing does.
    public var place: String
    public var metric: ResultMetric
    public var first: Side
    public var second: Side
    /// The table and row of a paper.
    public var source: String?

    public var difference: Double { first.mean - second.mean }

    /// How far apart the two may be by the choice of seeds: twice the standard error of the difference of the means. A
    /// side of one value is taken to spread as the other does.
    ///
    /// - Returns: nil where neither side has more than one seed.
    public var allowance: Double? {
      guard let a = first.deviation ?? second.deviation, let b = second.deviation ?? first.deviation else { return nil }
      return 2 * (a * a / Double(first.count) + b * b / Double(second.count)).squareRoot()
    }

    /// Whether the two differ by more than the seeds explain; nil where that cannot be said.
    public var isBeyondSpread: Bool? { allowance.map { abs(difference) > $0 + 1e-12 } }
  }

  /// A mean over seeds.
  public struct Side: Sendable, Equatable {
    public var mean: Double
    /// Over seeds, by n - 1.
    public var deviation: Double?
    public var count: Int

    init(_ statistic: Statistic) {
      (mean, deviation, count) = (statistic.mean, statistic.deviation, statistic.count)
    }
    init(_ value: PublishedResults.Value) { (mean, deviation, count) = (value.value, value.deviation, 1) }
  }

  /// How far the two sides agree on the order of the defenses against one attack.
  public struct Order: Sendable {
    public var attack: String
    public var place: String
    public var metric: ResultMetric
    /// Spearman's rank correlation.
    public var correlation: Double
    public var defenses: Int
  }

  public var firstName: String
  public var secondName: String
  public var items: [Item]
  public var orders: [Order]
  /// Settings that are the same in all runs of the first side and others on the second: `attack.rate: 0.05, 0.1 there`.
  public var settingsThatDiffer: [String]
  /// Cells of one side that the other does not have.
  public var onlyFirst: Int
  public var onlySecond: Int
}

extension GridComparison {
  /// What names a cell on both sides.
  fileprivate struct CellKey: Hashable {
    var attack: String
    var defense: String
    var place: String
    var metric: ResultMetric
  }

  /// Compares two grids: cells of the same attack, defense and further settings that tell cells apart in either.
  public init(
    _ first: ResultGrid, named firstName: String, _ second: ResultGrid, named secondName: String,
    metrics: [ResultMetric]? = nil
  ) {
    // What tells cells apart on one side tells them apart on the other too: only seeds are averaged.
    let keys = Set(first.distinguishing).union(second.distinguishing).sorted()
    let (a, b) = (first.sides(by: keys, metrics), second.sides(by: keys, metrics))
    self.init(a, b, firstName, secondName, sources: [:])
    settingsThatDiffer = Self.differences(first.common, second.common)
  }

  /// Compares a grid with published numbers. A number belongs to the runs of its attack and defense that have its
  /// further settings.
  public init(
    _ grid: ResultGrid, named name: String, _ paper: PublishedResults, metrics: [ResultMetric]? = nil
  ) {
    var (a, b): ([CellKey: Side], [CellKey: Side]) = ([:], [:])
    var sources: [CellKey: String] = [:]
    // What the grid's cells differ in, the paper's general settings choose too.
    let distinguishing = Set(grid.distinguishing)
    let chosen = paper.settings.filter { distinguishing.contains($0.key) }
    for value in paper.values where metrics?.contains(value.metric) ?? true {
      let place = value.settings.sorted { $0.key < $1.key }.map {
        ResultGrid.Label(keys: [$0.key], values: [$0.value]).text
      }
      .joined(separator: ", ")
      let key = CellKey(attack: value.attack, defense: value.defense, place: place, metric: value.metric)
      b[key] = Side(value)
      sources[key] = value.source
      if let statistic = grid.statistic(value, chosen) { a[key] = Side(statistic) }
    }
    self.init(a, b, name, paper.title, sources: sources)
    let cells = Set(paper.values.map { "\($0.attack)\n\($0.defense)" })
    onlyFirst = Set(grid.finished.map { "\($0.attack)\n\($0.defense)" }).subtracting(cells).count
    let used = Set(paper.values.flatMap(\.settings.keys))
    settingsThatDiffer = Self.differences(grid.common, paper.settings.filter { !used.contains($0.key) })
  }

  private init(
    _ a: [CellKey: Side], _ b: [CellKey: Side], _ firstName: String, _ secondName: String, sources: [CellKey: String]
  ) {
    (self.firstName, self.secondName) = (firstName, secondName)
    let known = ResultMetric.all.map(\.id)
    func rank(_ metric: ResultMetric) -> Int { known.firstIndex(of: metric.id) ?? known.count }
    let keys = a.keys.filter { b[$0] != nil }.sorted {
      (rank($0.metric), $0.metric.id, $0.place, $0.attack, $0.defense == "none" ? "" : $0.defense)
        < (rank($1.metric), $1.metric.id, $1.place, $1.attack, $1.defense == "none" ? "" : $1.defense)
    }
    items = keys.compactMap { key in
      guard let first = a[key], let second = b[key] else { return nil }
      return Item(
        attack: key.attack, defense: key.defense, place: key.place, metric: key.metric, first: first, second: second,
        source: sources[key])
    }
    onlyFirst = Set(a.keys.filter { b[$0] == nil }.map { "\($0.attack)\n\($0.defense)\n\($0.place)" }).count
    onlySecond = Set(b.keys.filter { a[$0] == nil }.map { "\($0.attack)\n\($0.defense)\n\($0.place)" }).count
    settingsThatDiffer = []
    orders = []
    orders = Self.orders(of: items)
  }

  /// The defenses of each attack, and their means over the attacks that all of them have.
  private static func orders(of items: [Item]) -> [Order] {
    var orders: [Order] = []
    var metrics: [ResultMetric] = []
    for item in items where !metrics.contains(item.metric) { metrics.append(item.metric) }
    for metric in metrics {
      let defended = items.filter { $0.metric == metric && $0.defense != "none" }
      let rows = Dictionary(grouping: defended) { [$0.attack, $0.place] }
      for (row, members) in rows.sorted(by: { ($0.key[1], $0.key[0]) < ($1.key[1], $1.key[0]) }) {
        if let value = RankCorrelation.spearman(members.map(\.first.mean), members.map(\.second.mean)) {
          orders.append(
            Order(attack: row[0], place: row[1], metric: metric, correlation: value, defenses: members.count))
        }
      }
      let columns = Dictionary(grouping: defended, by: \.defense).filter { $0.value.count == rows.count }
      guard rows.count > 1 else { continue }
      func means(_ side: (Item) -> Side) -> [Double] {
        columns.sorted { $0.key < $1.key }.map { $0.value.reduce(0) { $0 + side($1).mean } / Double($0.value.count) }
      }
      if let value = RankCorrelation.spearman(means(\.first), means(\.second)) {
        orders.append(
          Order(attack: "all attacks", place: "", metric: metric, correlation: value, defenses: columns.count))
      }
    }
    return orders
  }

  private static func differences(_ a: [String: JSONValue], _ b: [String: JSONValue]) -> [String] {
    a.keys.filter { key in b[key].map { $0 != a[key] } ?? false }.sorted().map { key in
      "\(key): \(a[key]?.plainText ?? "") here, \(b[key]?.plainText ?? "") there"
    }
  }
}

extension ResultGrid {
  /// The settings, apart from attack and defense, that tell cells apart.
  fileprivate var distinguishing: [String] {
    let keys = tables.flatMap { table in
      table.label.keys + (table.rows.first?.keys ?? []) + (table.columns.first?.keys ?? [])
    }
    return keys.filter { $0 != "attack.name" && $0 != "defense.name" }
  }

  /// The settings that all runs share.
  fileprivate var common: [String: JSONValue] {
    guard let first = finished.first else { return [:] }
    let rest = finished.dropFirst().map(\.leaves)
    return first.leaves.filter { key, value in
      !["seed", "device", "threads", "precision", "dataset.path"].contains(key) && rest.allSatisfy { $0[key] == value }
    }
  }

  fileprivate func sides(by keys: [String], _ metrics: [ResultMetric]?) -> [GridComparison.CellKey: GridComparison.Side]
  {
    var groups: [GridComparison.CellKey: [Double]] = [:]
    for run in finished + undefendedRuns {
      let place = keys.compactMap { key -> String? in
        guard let value = run.setting(key) else { return nil }
        return Label(keys: [key], values: [value]).text
      }.joined(separator: ", ")
      for metric in metrics ?? self.metrics {
        guard let value = run.values[metric.id] else { continue }
        groups[.init(attack: run.attack, defense: run.defense, place: place, metric: metric), default: []].append(value)
      }
    }
    return groups.compactMapValues { Statistic($0).map { GridComparison.Side($0) } }
  }

  /// The runs' own numbers for a published one.
  fileprivate func statistic(_ published: PublishedResults.Value, _ general: [String: JSONValue]) -> Statistic? {
    let settings = general.merging(published.settings) { $1 }
    let runs = (finished + undefendedRuns).filter { run in
      run.attack == published.attack && run.defense == published.defense
        && settings.allSatisfy { run.setting($0.key) == $0.value }
    }
    return Statistic(runs.compactMap { $0.values[published.metric.id] })
  }

  /// The undefended models that tables show in rows without a run of their own for them.
  private var undefendedRuns: [RunSummary] {
    tables.flatMap { $0.cells.joined().compactMap { $0 }.filter(\.isDerived).flatMap(\.runs) }.map { run in
      var copy = run
      copy.settings["defense"] = "none"
      return copy
    }
  }
}
