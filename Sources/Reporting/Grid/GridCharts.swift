import Experiments
import Files
import Grids
import Support

/// A chart that a reader asks for: values over a numeric setting, or over the epochs.
public struct GridChartRequest: Sendable {
  /// The setting of the horizontal axis; "epoch" for the values of each epoch.
  public var x: String
  /// Metrics; over the epochs, names of `metrics.jsonl`.
  public var y: [String]
  /// Settings that make a line each; nil takes what tells the runs apart.
  public var lines: [String]?
  public var isLogarithmic: Bool

  public static let epoch = "epoch"

  public init(x: String, y: [String], lines: [String]? = nil, isLogarithmic: Bool = false) {
    (self.x, self.y, self.lines, self.isLogarithmic) = (x, y, lines, isLogarithmic)
  }
}

/// Charts out of the runs of a grid.
enum GridCharts {
  /// - Parameter root: The folder in which the runs lie; epochs are read from there.
  /// - Throws: `SettingsError` for a setting that no run has as a number, and for a metric that nobody knows or no run
  ///   has; `FileError`, `RunStoreError`.
  static func charts(_ grid: ResultGrid, _ request: GridChartRequest, root: String) throws -> [NumericChart] {
    request.x == GridChartRequest.epoch
      ? try overEpochs(grid, request, root: root) : try overSetting(grid, request)
  }

  private static func overSetting(_ grid: ResultGrid, _ request: GridChartRequest) throws -> [NumericChart] {
    try RunQuery.check(request.x, in: grid.finished)
    let metrics = try request.y.map { try ResultMetric.named($0) }
    let runs = grid.finished.filter { $0.setting(request.x)?.doubleValue != nil }
    guard !runs.isEmpty else {
      throw SettingsError("", "no finished run has a number as \(request.x); a chart needs a numeric axis.")
    }
    let lines = try seriesKeys(runs, request)
    return try metrics.map { metric in
      var groups: [ResultGrid.Label: [Double: [(seed: Int?, value: Double)]]] = [:]
      for run in runs {
        guard let x = run.setting(request.x)?.doubleValue, let y = run.values[metric.id] else { continue }
        groups[ResultGrid.Label(keys: lines, of: run), default: [:]][x, default: []].append((run.seed, y))
      }
      guard !groups.isEmpty else {
        let known = ResultMetric.all.filter { known in runs.contains { $0.values[known.id] != nil } }
        throw SettingsError(
          "",
          "no finished run with a \(request.x) has a value of \(metric.id); they have "
            + "\(known.map(\.id).joined(separator: ", ")).")
      }
      let series = groups.sorted { $0.key < $1.key }.map { label, values in
        NumericChart.Series(
          name: lines.isEmpty ? metric.abbreviation : label.text,
          points: values.sorted { $0.key < $1.key }.compactMap { x, y in
            Statistic(y).map { NumericChart.Point(x: x, y: $0.mean, spread: $0.deviation) }
          })
      }
      return NumericChart(
        title: "\(metric.title) by \(request.x)", xLabel: request.x, yLabel: metric.id,
        isShare: metric.kind == .share, isLogarithmic: request.isLogarithmic, series: series)
    }
  }

  /// What makes a line each where nobody says: attack and defense, and what else tells apart runs of the same x.
  private static func seriesKeys(_ runs: [RunSummary], _ request: GridChartRequest) throws -> [String] {
    if let lines = request.lines {
      for key in lines { try RunQuery.checkSetting(key, in: runs) }
      return lines
    }
    let layout = ResultGrid.Layout(rows: [request.x])
    let keys = ResultGrid.keys(of: runs, layout: layout)
    return (keys.tables + keys.columns).filter { key in
      key != request.x && Set(runs.map { $0.setting(key) ?? .null }).count > 1
    }
  }

  /// One chart for each defense and attack: the values that were asked for are its lines, means over the seeds.
  private static func overEpochs(_ grid: ResultGrid, _ request: GridChartRequest, root: String) throws -> [NumericChart]
  {
    var charts: [NumericChart] = []
    var found: Set<String> = []
    for table in grid.tables {
      for (row, rowLabel) in table.rows.enumerated() {
        for (column, columnLabel) in table.columns.enumerated() {
          guard let cell = table.cells[row][column], !cell.isDerived else { continue }
          var values: [String: [Double: [(seed: Int?, value: Double)]]] = [:]
          let seeds = Dictionary(cell.runs.map { ($0.folder, $0.seed) }) { first, _ in first }
          for (run, seed) in seeds.sorted(by: { $0.key < $1.key }) {
            for entry in try lastStage(of: run == "." ? root : Path.join(root, run), with: request.y) {
              for name in request.y {
                if let value = entry.values[name] {
                  values[name, default: [:]][Double(entry.epoch), default: []].append((seed, value))
                }
              }
            }
          }
          let series = request.y.compactMap { name in
            values[name].map { points in
              NumericChart.Series(
                name: StageTitle.words(name),
                points: points.sorted { $0.key < $1.key }.compactMap { epoch, values in
                  Statistic(values).map { NumericChart.Point(x: epoch, y: $0.mean, spread: $0.deviation) }
                })
            }
          }
          guard !series.isEmpty else { continue }
          found.formUnion(values.keys)
          let place = [table.label.text, rowLabel.text, columnLabel.text].filter { !$0.isEmpty }.joined(separator: ", ")
          charts.append(
            NumericChart(
              title: place, xLabel: "epoch", yLabel: "value", isShare: values.keys.allSatisfy(MetricName.isShare),
              isLogarithmic: request.isLogarithmic, series: series))
        }
      }
    }
    let missing = request.y.filter { !found.contains($0) }
    guard missing.isEmpty else {
      throw SettingsError(
        "", "no run has a value of \(missing.joined(separator: ", ")) after its epochs (metrics.jsonl).")
    }
    return charts
  }

  /// The epochs of the last stage that has any of the values: the defense, where it has them.
  private static func lastStage(of run: String, with names: [String]) throws -> [MetricsEntry] {
    let entries = try MetricsLog(path: Path.join(run, RunDirectory.metricsName)).read().filter { entry in
      names.contains { entry.values[$0] != nil }
    }
    return entries.filter { $0.stage == entries.last?.stage }
  }
}
