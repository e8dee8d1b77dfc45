extension RunRecord {
  /// Means over the last epochs of a training, of what was measured after each of them.
  public struct EpochMeans: Codable, Sendable, Equatable {
    public var stage: String
    /// How many epochs the means are of.
    public var epochs: Int
    public var accuracy: Double
    public var attackSuccessRate: Double?
    public var robustAccuracy: Double?
  }
}

extension RunRecord.EpochMeans {
  /// Of the last ten measured epochs of the last measured stage; nil where fewer than two were measured.
  init?(_ metrics: [MetricsEntry]) {
    let measured = metrics.filter { $0.values[MetricName.accuracy] != nil }
    guard let stage = measured.last?.stage else { return nil }
    let last = measured.filter { $0.stage == stage }.suffix(10)
    guard last.count > 1 else { return nil }
    func mean(_ key: String) -> Double? {
      let values = last.compactMap { $0.values[key] }
      return values.count == last.count ? values.reduce(0, +) / Double(values.count) : nil
    }
    self.init(
      stage: stage, epochs: last.count, accuracy: mean(MetricName.accuracy) ?? .nan,
      attackSuccessRate: mean(MetricName.attackSuccessRate), robustAccuracy: mean(MetricName.robustAccuracy))
  }
}
