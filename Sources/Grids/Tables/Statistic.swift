/// A number over seeds.
public struct Statistic: Sendable, Equatable {
  /// In the order of the seeds.
  public let values: [Double]

  /// - Returns: nil where there are no values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    self.values = values
  }

  /// A metric over the seeds of some runs; runs of one seed count once, by their mean.
  /// - Returns: nil where no run has the metric.
  init?(_ metric: String, of runs: [RunSummary]) {
    self.init(runs.compactMap { run in run.values[metric].map { (run.seed, $0) } })
  }

  /// Values over the seeds of their runs; those of one seed count once, by their mean.
  public init?(_ values: [(seed: Int?, value: Double)]) {
    let seeds = Dictionary(grouping: values) { $0.seed ?? 0 }.mapValues { $0.map(\.value) }
    self.init(seeds.sorted { $0.key < $1.key }.map { $0.value.reduce(0, +) / Double($0.value.count) })
  }

  public var count: Int { values.count }
  public var mean: Double { values.reduce(0, +) / Double(values.count) }

  /// The standard deviation of the sample, by n - 1; nil of a single value.
  public var deviation: Double? {
    guard count > 1 else { return nil }
    let mean = mean
    return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)).squareRoot()
  }
}

extension ResultMetric {
  /// "91.3 ± 0.4", or "91.3" of a single value.
  public func text(_ statistic: Statistic?, plusMinus: String = " ± ") -> String? {
    guard let statistic else { return nil }
    let deviation = statistic.deviation.map { plusMinus + text($0) } ?? ""
    return text(statistic.mean) + deviation
  }
}
