extension RunRecord {
  /// One stage of the run, such as "train" or "purify".
  public struct Stage: Codable, Sendable, Equatable {
    /// The same name as in `metrics.jsonl`.
    public var name: String
    /// Wall-clock seconds, those before an interruption included.
    public var seconds: Double
    public var epochs: Int
    public var imagesPerSecond: Double?
    public var peakMemoryBytes: Int?
  }
}

extension RunRecord.Stage {
  /// The stages of a run, from the values of its epochs: times add up over interruptions.
  static func all(in metrics: [MetricsEntry]) -> [Self] {
    var stages: [Self] = []
    for entry in metrics {
      let seconds = entry.values[MetricName.seconds] ?? 0
      let images = (entry.values[MetricName.imagesPerSecond] ?? 0) * seconds
      if let index = stages.firstIndex(where: { $0.name == entry.stage }) {
        let before = (stages[index].imagesPerSecond ?? 0) * stages[index].seconds
        stages[index].seconds += seconds
        stages[index].epochs = max(stages[index].epochs, entry.epoch)
        stages[index].imagesPerSecond = (before + images) / max(stages[index].seconds, 1e-9)
      } else {
        stages.append(
          Self(name: entry.stage, seconds: seconds, epochs: entry.epoch, imagesPerSecond: images / max(seconds, 1e-9)))
      }
    }
    return stages
  }
}

extension RunRecord {
  /// Seconds of work: ``seconds``, or those of the stages in a record that does not have them; nil where nothing was
  /// done.
  public var duration: Double? {
    if let seconds { return seconds }
    return stages.isEmpty ? nil : stages.reduce(0) { $0 + $1.seconds }
  }
}
