import Experiments
import Files
import Support

/// The charts of one stage.
struct StageCharts {
  var stage: String
  var title: String
  var charts: [Chart]

  /// Charts for every stage that has something to plot, in the order in which the stages began.
  static func all(from metrics: [MetricsEntry]) -> [StageCharts] {
    var stages: [String] = []
    for entry in metrics where !stages.contains(entry.stage) { stages.append(entry.stage) }
    return stages.enumerated().compactMap { index, stage in
      let charts = charts(of: metrics.filter { $0.stage == stage }, number: index)
      return charts.isEmpty ? nil : StageCharts(stage: stage, title: StageTitle.title(of: stage), charts: charts)
    }
  }

  /// The values that have a chart of their own or none.
  private static let known: Set<String> = [
    MetricName.accuracy, MetricName.attackSuccessRate, MetricName.robustAccuracy, MetricName.cleanTargetRate,
    MetricName.backdoorRisk, MetricName.adversarialRisk,
    MetricName.sharedAdversarialRisk, MetricName.subAdversarialRisk, MetricName.universalRisk,
    MetricName.universalSubRisk, MetricName.targetedRisk, MetricName.targetedSubRisk, MetricName.trainLoss,
    MetricName.learningRate, MetricName.seconds,
    MetricName.imagesPerSecond,
    MetricName.poisonShareLearned, MetricName.targetedMisclassification,
  ]

  /// When poison entered what a method learned from: where its share was least, if it rose by a quarter afterwards.
  static func turningPoint(of poison: Chart.Series?) -> String? {
    guard let points = poison?.points, let last = points.last, let least = points.min(by: { $0.value < $1.value }),
      last.value > least.value * 1.25
    else { return nil }
    return "poison least in epoch \(least.epoch) (\(formatPercent(least.value))), then rising to "
      + "\(formatPercent(last.value))"
  }

  private static func charts(of entries: [MetricsEntry], number: Int) -> [Chart] {
    func series(_ key: String, _ name: String, style: Int, right: Bool = false) -> Chart.Series? {
      var values: [Int: Double] = [:]  // Of an epoch that was written twice, the later one counts.
      for entry in entries { if let value = entry.values[key] { values[entry.epoch] = value } }
      guard !values.isEmpty else { return nil }
      let points = values.sorted { $0.key < $1.key }.map { (epoch: $0.key, value: $0.value) }
      return Chart.Series(name: name, style: style, onRightAxis: right, points: points)
    }

    let scores = [
      series(MetricName.accuracy, "Clean accuracy", style: 0),
      series(MetricName.attackSuccessRate, "Attack success rate", style: 1),
      series(MetricName.robustAccuracy, "Robust accuracy", style: 2),
      series(MetricName.targetedMisclassification, "Targeted misclassification", style: 3),
    ].compactMap { $0 }
    let risks = [
      series(MetricName.backdoorRisk, "Backdoor risk", style: 1),
      series(MetricName.adversarialRisk, "Adversarial risk", style: 3),
      series(MetricName.sharedAdversarialRisk, "Shared adversarial risk", style: 4),
      series(MetricName.subAdversarialRisk, "Sub-adversarial risk", style: 0),
    ].compactMap { $0 }
    let narrow = [
      series(MetricName.backdoorRisk, "Backdoor risk", style: 1),
      series(MetricName.universalRisk, "Universal risk", style: 3),
      series(MetricName.universalSubRisk, "Universal sub-adversarial risk", style: 4),
      series(MetricName.targetedRisk, "Targeted risk", style: 0),
      series(MetricName.targetedSubRisk, "Targeted sub-adversarial risk", style: 2),
    ].compactMap { $0 }
    let loss = series(MetricName.trainLoss, "Training loss", style: 5)
    let rate = series(MetricName.learningRate, "Learning rate", style: 6, right: loss != nil)
    // What else a method reports, by the kind of value that its name says it is.
    let others = Set(entries.flatMap(\.values.keys)).subtracting(known).sorted()
    func group(_ isMember: (String) -> Bool) -> [Chart.Series] {
      others.filter(isMember).prefix(5).enumerated().compactMap { series($1, StageTitle.words($1), style: $0) }
    }
    let parts = group { $0.hasSuffix("Loss") }
    let poison = series(MetricName.poisonShareLearned, "Poison among the samples learned from", style: 1)
    let shares =
      [poison].compactMap { $0 }
      + group(MetricName.isShare)
    let rest = others.filter { name in !(parts + shares).contains { $0.name == StageTitle.words(name) } }

    var charts: [Chart] = []
    func add(_ id: String, _ title: String, _ left: Chart.Axis, right: Chart.Axis? = nil, _ series: [Chart.Series]) {
      if !series.isEmpty {
        charts.append(Chart(id: "chart-\(number)-\(id)", title: title, left: left, right: right, series: series))
      }
    }
    let share = Chart.Axis(label: "share", isShare: true)
    add("scores", "Accuracy and attack success", share, scores)
    add("risks", "Risks", share, risks)
    if narrow.count > 1 { add("narrow-risks", "Universal and targeted risks", share, narrow) }
    add(
      "loss", loss == nil ? "Learning rate" : rate == nil ? "Loss" : "Loss and learning rate",
      .init(label: loss == nil ? "learning rate" : "loss"),
      right: loss != nil && rate != nil ? .init(label: "learning rate") : nil,
      [loss, rate].compactMap { $0 })
    add("parts", "Parts of the loss", .init(label: "loss"), parts)
    add("shares", "Shares" + (turningPoint(of: poison).map { ": \($0)" } ?? ""), share, shares)
    for (index, name) in rest.prefix(6).enumerated() {
      add(
        "other-\(index)", StageTitle.words(name), .init(label: StageTitle.words(name)),
        [series(name, StageTitle.words(name), style: 4)].compactMap { $0 })
    }
    return charts
  }
}
