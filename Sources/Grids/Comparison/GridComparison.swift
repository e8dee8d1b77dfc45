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

    /// Whether the two differ by more than the seeds explain; nil where that cannot be said, as of what is no number.
    public var isBeyondSpread: Bool? {
      guard let allowance, allowance.isFinite, difference.isFinite else { return nil }
      return abs(difference) > allowance + 1e-12
    }
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
    /// What tells it from others of the same attack and defense.
    var settings: [String: JSONValue]
    var metric: ResultMetric

    var cell: [String] { [attack, defense, JSONValue.object(settings).canonicalJSON] }
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
  /// further settings; where these differ among themselves in more than the seed, it stands beside each kind of them.
  public init(
    _ grid: ResultGrid, named name: String, _ paper: PublishedResults, metrics: [ResultMetric]? = nil
  ) {
    var (a, b): ([CellKey: Side], [CellKey: Side]) = ([:], [:])
    var sources: [CellKey: String] = [:]
    // What the grid's cells differ in, the paper's general settings choose too.
    let distinguishing = Set(grid.distinguishing)
    let chosen = paper.settings.filter { distinguishing.contains($0.key) }
    for value in paper.values where metrics?.contains(value.metric) ?? true {
      let kinds = grid.kinds(of: value, chosen)
      for (settings, statistic) in kinds.isEmpty ? [([:], nil)] : kinds {
        let key = CellKey(
          attack: value.attack, defense: value.defense, settings: value.settings.merging(settings) { $1 },
          metric: value.metric)
        b[key] = Side(value)
        sources[key] = value.source
        a[key] = statistic.map { Side($0) }
      }
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
    let words = Self.words(for: Set(a.keys).union(b.keys).flatMap(\.settings.keys))
    let keys = a.keys.filter { b[$0] != nil }.map { (key: $0, place: words($0.settings)) }.sorted {
      let (a, b) = ($0.key, $1.key)
      return (rank(a.metric), a.metric.id, $0.place, a.attack, a.defense == "none" ? "" : a.defense)
        < (rank(b.metric), b.metric.id, $1.place, b.attack, b.defense == "none" ? "" : b.defense)
    }
    items = keys.compactMap { key, place in
      guard let first = a[key], let second = b[key] else { return nil }
      return Item(
        attack: key.attack, defense: key.defense, place: place, metric: key.metric, first: first, second: second,
        source: sources[key])
    }
    onlyFirst = Set(a.keys.filter { b[$0] == nil }.map(\.cell)).count
    onlySecond = Set(b.keys.filter { a[$0] == nil }.map(\.cell)).count
    settingsThatDiffer = []
    orders = []
    orders = Self.orders(of: items)
  }

  /// Puts settings into words, by the last part of their names where no two of the names share it.
  private static func words(for names: [String]) -> (_ settings: [String: JSONValue]) -> String {
    let counts = Dictionary(grouping: Set(names), by: ResultGrid.Label.lastPart).mapValues(\.count)
    return { settings in
      let keys = settings.keys.sorted()
      return ResultGrid.Label(keys: keys, values: keys.map { settings[$0] ?? .null }).text { key in
        let last = ResultGrid.Label.lastPart(of: key)
        return counts[last] == 1 ? last : key
      }
    }
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
    struct Place: Hashable {
      var attack: String
      var defense: String
      var settings: [String: JSONValue]
    }
    let groups = Dictionary(grouping: finished + undefendedRuns) {
      Place(attack: $0.attack, defense: $0.defense, settings: $0.settings(keys))
    }
    var sides: [GridComparison.CellKey: GridComparison.Side] = [:]
    for (place, runs) in groups {
      for metric in metrics ?? self.metrics {
        guard let statistic = Statistic(metric.id, of: runs) else { continue }
        let key = GridComparison.CellKey(
          attack: place.attack, defense: place.defense, settings: place.settings, metric: metric)
        sides[key] = GridComparison.Side(statistic)
      }
    }
    return sides
  }

  /// The runs' own numbers for a published one: one, or for each kind of runs that differ in more than the seed, with the
  /// settings in which they do.
  fileprivate func kinds(
    of published: PublishedResults.Value, _ general: [String: JSONValue]
  ) -> [(settings: [String: JSONValue], statistic: Statistic?)] {
    let settings = general.merging(published.settings) { $1 }
    let runs = (finished + undefendedRuns).filter { run in
      run.attack == published.attack && run.defense == published.defense
        && settings.allSatisfy { run.setting($0.key) == $0.value } && run.values[published.metric.id] != nil
    }
    let kinds = Dictionary(grouping: runs) { $0.settings(distinguishing) }
    let keys = Set(kinds.keys.flatMap(\.keys)).filter { key in Set(kinds.keys.map { $0[key] }).count > 1 }
    return kinds.map { kind, runs in
      (kind.filter { keys.contains($0.key) }, Statistic(published.metric.id, of: runs))
    }
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

extension RunSummary {
  /// Those of the settings that the run has.
  fileprivate func settings(_ keys: [String]) -> [String: JSONValue] {
    keys.reduce(into: [:]) { $0[$1] = setting($1) }
  }
}
